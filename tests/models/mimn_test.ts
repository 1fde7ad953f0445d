import { createModel } from "../../src/models/create.ts";
import { goldenMimnTests } from "./golden_mimn.ts";

const half = () => 0.5;

goldenMimnTests("createModel()", (sizes, config) => createModel("mimn", sizes, config, half));
