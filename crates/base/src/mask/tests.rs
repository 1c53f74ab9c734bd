//! What is masked and what is not.

use super::*;
use proptest::prelude::*;

const PASSWORD: &str = "s3cret&'w<o>r\"d%40 $x";

fn masked(text: &str) -> String {
    Mask::new([PASSWORD]).text(text)
}

/// Plain base64, so that the mask's own is not its judge.
fn base64(bytes: &[u8], url: bool) -> String {
    let last = if url { ['-', '_'] } else { ['+', '/'] };
    let alphabet: Vec<char> = ('A'..='Z').chain('a'..='z').chain('0'..='9').chain(last).collect();
    let mut text = String::new();
    for group in bytes.chunks(3) {
        let number = group.iter().chain([0; 2].iter()).take(3).fold(0usize, |number, byte| number << 8 | usize::from(*byte));
        for index in 0..=group.len() {
            text.push(alphabet[number >> (18 - 6 * index) & 63]);
        }
        text.push_str(&"===="[group.len() + 1..]);
    }
    text
}

#[test]
fn what_programs_write_is_masked_and_the_rest_stays() {
    for (written, left) in [
        ("a s3cret&'w<o>r\"d%40 $x b".to_owned(), "a *** b".to_owned()),
        ("+ curl -u 'me:s3cret&'\\''w<o>r\"d%40 $x'".to_owned(), "+ curl -u 'me:***'".to_owned()),
        ("s3cret\\&\\'w\\<o\\>r\\\"d\\%40\\ \\$x.".to_owned(), "***.".to_owned()),
        ("\"s3cret&'w<o>r\\\"d%40 \\$x\"".to_owned(), "\"***\"".to_owned()),
        ("<p>s3cret&amp;&#39;w&lt;o&gt;r&quot;d%40 $x</p>".to_owned(), "<p>***</p>".to_owned()),
        ("https://me:s3cret%26%27w%3Co%3er%22d%2540%20%24x@host/".to_owned(), "https://me:***@host/".to_owned()),
        ("p=s3cret%26%27w%3Co%3Er%22d%2540+%24x&q=1".to_owned(), "p=***&q=1".to_owned()),
        ("{\"a\":\"s3cret\\u0026\\u0027w\\u003co\\u003Er\\\"d%40 $x\"}".to_owned(), "{\"a\":\"***\"}".to_owned()),
        ("\"{\\\"a\\\":\\\"s3cret&'w<o>r\\\\\\\"d%40 $x\\\"}\"".to_owned(), "\"{\\\"a\\\":\\\"***\\\"}\"".to_owned()),
        ("$'s3cret&\\'w<o>r\"d%40 $x'".to_owned(), "$'***'".to_owned()),
        ("s3cre\nt&'w<o>\\\nr\"d%4\r\n0 $x!".to_owned(), "***\n***\n***\n***!".to_owned()),
        ("s3cret&'w<o>r\"d%40 $y".to_owned(), "s3cret&'w<o>r\"d%40 $y".to_owned()),
        ("s3cret&'w<o>r\"d%40 $xs3cret&'w<o>r\"d%40 $x".to_owned(), "******".to_owned()),
    ] {
        assert_eq!(masked(&written), left, "{written}");
    }
}

#[test]
fn base64_is_masked_wherever_it_begins_and_however_it_is_broken() {
    for user in ["me:", "you:", "them:", ""] {
        for url in [false, true] {
            let text = base64(format!("{user}{PASSWORD} and more").as_bytes(), url);
            let lines: Vec<String> = text.as_bytes().chunks(7).map(|line| String::from_utf8_lossy(line).into_owned()).collect();
            for written in [text.clone(), lines.join("\n  "), lines.join("\\n"), lines.join("\\\\r\\\\n"), lines.join("=\r\n")] {
                let left = masked(&written);
                // All but the characters that it shares with what stands beside it.
                let breaks = ["\\\\r", "\\\\n", "\\n", "\n", " ", "=\r", MASKED];
                let plain = breaks.iter().fold(left.clone(), |left, part| left.replace(part, ""));
                let expected = base64(user.as_bytes(), url).len() + 1 + base64(b" and more", url).len() + 4;
                assert!(left.contains(MASKED) && plain.len() <= expected, "{user}: {written}: {left}");
            }
        }
    }
}

#[test]
fn lines_of_a_key_are_masked_each_and_short_ones_are_not_looked_for() {
    let key = "-----BEGIN KEY-----\nMIIEvQIBADANBgkqhkiG9w0\nAAA=\n-----END KEY-----\n";
    let mask = Mask::new([key, "abc", "", " \n "]);
    assert_eq!(mask.text("> MIIEvQIBADANBgkqhkiG9w0 <"), "> *** <");
    assert_eq!(mask.text("AAA= abc"), "AAA= abc");
    assert_eq!(mask.text(&format!("{key}.")), "***\n***\n***\n***\n.");
    assert!(Mask::new(["abc", ""]).is_empty() && is_too_short(b" abc\n") && !is_too_short(b"abcd"));
    assert_eq!(Mask::new(["abc"]).text("abc"), "abc");
    assert_eq!(format!("{mask:?} {:?}", mask.stream()), "Mask(hidden) Masking(0 held)");
}

#[test]
fn only_what_may_become_a_secret_is_held_back_and_never_much() {
    let mut stream = Mask::new(["hunter22"]).stream();
    assert_eq!(stream.feed(b"the hunt"), b"the ");
    assert_eq!(stream.feed(b"er2"), b"");
    assert_eq!(stream.feed(b"2 went"), b"*** went");
    assert_eq!(stream.feed(b" hunt"), b" ");
    assert_eq!(stream.finish(), b"hunt");
    assert_eq!(stream.feed(b"er22."), b"er22.", "a new stream");
    stream.feed(b"hunter2");
    let spaces = vec![b' '; 100_000];
    let left = stream.feed(&spaces);
    assert!(left.len() + stream.held() == 100_007 && stream.held() < 6_000, "{}", stream.held());
}

#[test]
fn many_long_secrets_of_one_letter_are_no_burden() {
    let secrets: Vec<String> = (100..140).map(|length| "a".repeat(length)).collect();
    let left = Mask::new(&secrets).text(&"a".repeat(2_000));
    assert_eq!(left, MASKED);
}

/// One way of writing for each byte, by a number.
fn write(byte: u8, how: u8) -> String {
    let plain = char::from(byte);
    match how % 9 {
        1 => format!("%{byte:02X}"),
        2 => format!("%{byte:02x}"),
        3 => format!("\\x{byte:02x}"),
        4 => format!("\\u{byte:04x}"),
        5 => format!("&#{byte};"),
        6 => format!("\\{byte:03o}"),
        7 if plain.is_ascii_punctuation() => format!("\\{plain}"),
        8 => format!("\n{plain}"),
        _ => plain.to_string(),
    }
}

proptest! {
    #[test]
    fn any_mixture_is_masked_in_any_pieces(
        secret in "[!-~]{4,24}",
        how in proptest::collection::vec(any::<u8>(), 24),
        cuts in proptest::collection::vec(0usize..200, 0..6),
        whole in 0u8..4,
    ) {
        let each = |shown: &dyn Fn(u8) -> String| secret.bytes().map(shown).collect::<String>();
        let written = match whole {
            0 => each(&|byte| format!("{byte:02x}")),
            1 => each(&|byte| format!("{byte:02X}")),
            _ => secret.bytes().zip(&how).map(|(byte, how)| write(byte, *how)).collect(),
        };
        let mask = Mask::new([&secret]);
        let text = format!("\u{1}{written}\u{1}");
        let left = mask.bytes(text.as_bytes());
        let shown = String::from_utf8_lossy(&left).replace('\n', "");
        prop_assert!(shown.starts_with("\u{1}***") && shown.ends_with("***\u{1}") && shown.trim_matches(['\u{1}', '*']).is_empty(), "{shown}");
        let mut stream = mask.stream();
        let mut pieces = Vec::new();
        let mut at = 0;
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(text.len())).collect();
        cuts.sort_unstable();
        for cut in cuts {
            pieces.extend(stream.feed(&text.as_bytes()[at..cut]));
            at = cut;
        }
        pieces.extend(stream.feed(&text.as_bytes()[at..]));
        pieces.extend(stream.finish());
        prop_assert_eq!(pieces, left);
    }

    #[test]
    fn what_holds_no_secret_stays_as_it_is(secret in "[a-f]{6,12}", text in proptest::collection::vec(any::<u8>(), 0..400)) {
        // None of its letters in any case, no digit that could be part of an escape.
        let text: Vec<u8> = text.into_iter().filter(|byte| !byte.is_ascii_alphanumeric()).collect();
        prop_assert_eq!(Mask::new([&secret]).bytes(&text), text);
    }

    #[test]
    fn pieces_do_not_matter(
        secrets in proptest::collection::vec("[ab%\\\\' ]{4,9}", 1..4),
        text in proptest::collection::vec(proptest::sample::select(b"ab%\\' \n2576".to_vec()), 0..120),
        size in 1usize..7,
    ) {
        let mask = Mask::new(&secrets);
        let mut stream = mask.stream();
        let mut pieces: Vec<u8> = text.chunks(size).flat_map(|piece| stream.feed(piece)).collect();
        pieces.extend(stream.finish());
        prop_assert_eq!(pieces, mask.bytes(&text));
    }
}
