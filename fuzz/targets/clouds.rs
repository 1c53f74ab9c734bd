//! Whatever a cloud answers, a template or the user's profiles hold is read or refused.
#![no_main]

use infra::aws::{Answer, failure, parse_profiles, parse_xml};
use infra::cloudformation::template::{parse, rule};
use infra::plan::PlanFile;
use infra::provider::{Declared, Import};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    for status in [400, 403, 503] {
        let answer = Answer { status, body: bytes.to_vec(), ..Answer::default() };
        assert!(!failure("Call", &answer).to_string().is_empty());
    }
    let _ = (parse_xml(bytes), PlanFile::read("p", bytes));
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let _ = parse_profiles(text);
    match parse("t", text) {
        Ok(template) => {
            let import = Import { id: "A".to_owned(), identifier: [("a".to_owned(), "b".to_owned())].into() };
            let parameters = [("A".to_owned(), "b".to_owned())].into();
            let declared = Declared { template: text.to_owned(), parameters, imports: vec![import], ..Declared::default() };
            let _ = (template.check(&declared), template.capabilities(), template.outputs());
        }
        Err(findings) => assert!(findings.iter().all(|finding| finding.rule == rule::FORM)),
    }
});
