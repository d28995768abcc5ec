// Copyright 2026 the Sluice authors. MIT license.

/** The loop of a simulation. */
