//! Auth, admission, the one resource handler.
