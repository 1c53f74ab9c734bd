//! Any text is parsed without a panic, and its tree gives the text back.
#![no_main]

libfuzzer_sys::fuzz_target!(|source: &str| {
    let parsed = dockerfile::parse(source);
    assert_eq!(parsed.to_source(), source);
    let _ = dockerfile::expand(source, '\\', &|_: &str| None::<String>);
});
