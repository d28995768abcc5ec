// Copyright 2026 the Sluice authors. MIT license.

/** A module for workers that cannot be loaded. */
export default {};
throw Object.assign(new RangeError("thrown at top level"), { code: "ELOAD" });
