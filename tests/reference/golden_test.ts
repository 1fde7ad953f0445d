import { referenceModel } from "./reference_model.ts";
import { goldenModelTests } from "../nn/models/golden_models.ts";

goldenModelTests(
  "referenceModel()",
  (name, sizes, config) => referenceModel(name, sizes, config, () => 0.5),
  {
    corruptions: 10,
  },
);
