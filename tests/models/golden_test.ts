import { createModel } from "../../src/models/create.ts";
import { goldenModelTests } from "./golden_models.ts";

goldenModelTests("createModel()", (name, sizes, config) => createModel(name, sizes, config, () => 0.5));
