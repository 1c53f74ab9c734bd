//! Cloud resources of a project, from templates kept with it: planned, made, changed and removed.
