//! A secret is hidden in whatever pieces it goes by, in the forms that programs write it in, and the pieces make no difference.
#![no_main]

use base::mask::Mask;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

libfuzzer_sys::fuzz_target!(|input: (&[u8], &[u8], &[u8], &[u8])| {
    let (secret, before, after, cuts) = input;
    let secret = secret.trim_ascii();
    if secret.len() > 200 || before.len() + after.len() > 2_000 {
        return;
    }
    let mask = Mask::new([secret]);
    // What is said where a secret stood is no secret, and lines stay lines.
    let plain = secret.len() >= 8 && !secret.iter().any(|byte| matches!(byte, b'*' | b'\n' | b'\r'));
    for form in [secret.to_vec(), STANDARD.encode(secret).into_bytes(), base::ids::hex(secret).into_bytes()] {
        let text = [before, &form, after].concat();
        let whole = mask.bytes(&text);
        let (mut stream, mut pieces, mut rest) = (mask.stream(), Vec::new(), text.as_slice());
        for cut in cuts {
            let (piece, others) = rest.split_at(usize::from(*cut).min(rest.len()));
            pieces.extend(stream.feed(piece));
            rest = others;
        }
        pieces.extend(stream.feed(rest));
        pieces.extend(stream.finish());
        // Secrets that touch may be hidden as one or each for itself.
        assert_eq!(collapsed(&pieces), collapsed(&whole));
        assert_eq!(stream.held(), 0);
        if plain {
            let is_left = |said: &[u8]| said.windows(form.len()).any(|window| window == form);
            assert!(!is_left(&whole) && !is_left(&pieces), "a form of the secret is left");
        }
    }
});

/// Stars that follow one another as one.
fn collapsed(said: &[u8]) -> Vec<u8> {
    let mut said = said.to_vec();
    said.dedup_by(|one, other| *one == b'*' && *other == b'*');
    said
}
