//! Any bytes are decoded or refused; what was decoded encodes and decodes to itself.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Ok(value) = k8s::protobuf::decode(bytes) {
        if let Ok(again) = k8s::protobuf::encode(&value) {
            assert_eq!(k8s::protobuf::decode(&again).ok(), Some(value));
        }
    }
});
