// Copyright 2026 the Sluice authors. MIT license.

/** A module for workers that exports no server. */
export default { handler: () => {} };
