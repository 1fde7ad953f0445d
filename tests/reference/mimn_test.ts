import { referenceModel } from "../../src/reference/reference_model.ts";
import { goldenMimnTests } from "../models/golden_mimn.ts";

const half = () => 0.5;

goldenMimnTests("referenceModel()", (sizes, config) => referenceModel("mimn", sizes, config, half));
