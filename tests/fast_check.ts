/**
 * fast-check, with arrays and texts of up to `maxLength`. By itself it stops at ten, however much more a test allows.
 *
 * @module
 */

import * as fc from "@fast-check";

fc.configureGlobal({ defaultSizeToMaxWhenMaxSpecified: true });

export default fc;
