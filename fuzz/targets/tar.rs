//! Any bytes are read as an archive, or refused, in bounded memory.
#![no_main]

use oci::tar::{Limits, Reader};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let mut reader = Reader::new(bytes, Limits::default());
    let mut buffer = [0; 4096];
    while let Ok(Some(entry)) = reader.next() {
        let _ = oci::layer::classify(&entry);
        while matches!(reader.read(&mut buffer), Ok(1..)) {}
    }
});
