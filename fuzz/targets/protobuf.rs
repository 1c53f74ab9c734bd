//! Any bytes are decoded or refused, as a body and as the message of any kind; what was decoded encodes
//! to the same bytes again (the first time fills in what Go writes always).
#![no_main]

use k8s::protobuf::{decode, decode_message, encode, encode_message};

libfuzzer_sys::fuzz_target!(|input: (u8, &[u8])| {
    let (which, bytes) = input;
    match k8s::KINDS.get(usize::from(which)) {
        // An envelope that names a kind is rarely found by chance; the kinds' messages are told apart by a number instead.
        Some(kind) => {
            let Ok(value) = decode_message(kind.schema, bytes) else { return };
            let Ok(once) = encode_message(kind.schema, &value) else { return };
            let again = decode_message(kind.schema, &once).expect("what was encoded is read");
            assert_eq!(encode_message(kind.schema, &again).as_ref(), Ok(&once), "{value}");
        }
        None => {
            let Ok(value) = decode(bytes) else { return };
            let Ok(once) = encode(&value) else { return };
            let again = decode(&once).expect("what was encoded is read");
            assert_eq!(encode(&again).as_ref(), Ok(&once), "{value}");
        }
    }
});
