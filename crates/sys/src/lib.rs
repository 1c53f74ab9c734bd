//! The only unsafe code: system calls, each behind a safe function.
