//! Any patch of any object is applied or refused; applying the same intent twice changes nothing.
#![no_main]

use k8s::apply::{Manager, Operation};
use k8s::kinds::POD;
use serde_json::Value;

libfuzzer_sys::fuzz_target!(|parts: (&str, &str)| {
    let (Ok(live), Ok(patch)) = (serde_json::from_str::<Value>(parts.0), serde_json::from_str::<Value>(parts.1)) else { return };
    let _ = k8s::patch::json_patch(&live, &patch);
    let _ = k8s::patch::merge_patch(&live, &patch);
    let _ = k8s::patch::strategic(POD.schema, &live, &patch);
    let manager = Manager { name: "fuzz", operation: Operation::Apply, api_version: "v1", subresource: "", time: Default::default(), ignored: &[] };
    if let Ok(once) = k8s::apply::apply(POD.schema, Some(&live), &patch, &manager, true) {
        if let Ok(twice) = k8s::apply::apply(POD.schema, Some(&once), &patch, &manager, true) {
            assert_eq!(once, twice);
        }
    }
});
