//! Word expansion: each row is what BuildKit's shell lexer makes of the word.

use dockerfile::{ExpandError, expand, expand_heredoc, expand_words};

fn lookup(name: &str) -> Option<String> {
    let value = match name {
        "PWD" => "/home",
        "NAME" => "foo.tar.gz",
        "PATHS" => "a/b/a",
        "TWO" => "one two",
        "EMPTY" => "",
        "KOREAN" => "한국어",
        _ => return None,
    };
    Some(value.to_owned())
}

#[test]
fn words_become_one_text() {
    let rows = [
        ("hello", "hello"),
        ("he'll'o", "hello"),
        ("he\\'llo", "he'llo"),
        ("he\\\\'llo'", "he\\llo"),
        ("abc\\tdef", "abctdef"),
        ("'abc\\tdef'", "abc\\tdef"),
        ("\"abc\\tdef\"", "abc\\tdef"),
        ("\"a\\\"b\\$c\\\\d\"", "a\"b$c\\d"),
        ("end\\", "end"),
        ("$PWD", "/home"),
        ("a$PWD.b", "a/home.b"),
        ("'$PWD'", "$PWD"),
        ("\"$PWD\"", "/home"),
        ("\\$PWD", "$PWD"),
        ("he${PWD}x", "he/homex"),
        ("$", "$"),
        ("a$.b", "a$.b"),
        ("$1a", "a"),
        ("$NONE|", "|"),
        ("${NONE:-x}", "x"),
        ("${NONE:-$PWD}", "/home"),
        ("${NONE:-${OTHER:-deep}}", "deep"),
        ("${EMPTY:-x}${EMPTY-y}", "x"),
        ("${PWD:+set}${EMPTY:+a}${EMPTY+b}${NONE+c}", "setb"),
        ("${PWD?needed}", "/home"),
        ("${EMPTY?needed}", ""),
        ("${NAME#*.}", "tar.gz"),
        ("${NAME##*.}", "gz"),
        ("${NAME%.*}", "foo.tar"),
        ("${NAME%%.*}", "foo"),
        ("${NAME#?oo}", ".tar.gz"),
        ("${NAME#x}", "foo.tar.gz"),
        ("${PATHS/a/x}", "x/b/a"),
        ("${PATHS//a/x}", "x/b/x"),
        ("${PATHS//\\//-}", "a-b-a"),
        ("${PATHS/b*/}", "a/"),
        ("${TWO}", "one two"),
        ("${KOREAN#한}", "국어"),
        ("안녕", "안녕"),
        ("${NONE:-'}'}", "}"),
    ];
    for (word, expected) in rows {
        assert_eq!(expand(word, '\\', &lookup).as_deref(), Ok(expected), "{word}");
    }
    assert_eq!(expand("a`$PWD\\b", '`', &lookup).as_deref(), Ok("a$PWD\\b"));
}

#[test]
fn errors_have_names() {
    let rows = [
        ("'a", ExpandError::Unclosed('\'')),
        ("\"a", ExpandError::Unclosed('"')),
        ("${PWD", ExpandError::Missing('}')),
        ("${", ExpandError::Missing('}')),
        ("${}", ExpandError::BadSubstitution),
        ("${:x}", ExpandError::BadSubstitution),
        ("${PWD^}", ExpandError::UnsupportedModifier("^".to_owned())),
        ("${PWD:=x}", ExpandError::UnsupportedModifier(":=".to_owned())),
        ("${NONE?}", ExpandError::Required { name: "NONE".to_owned(), message: "is not allowed to be unset".to_owned() }),
        ("${EMPTY:?say it}", ExpandError::Required { name: "EMPTY".to_owned(), message: "say it".to_owned() }),
        ("${PWD/a}", ExpandError::Missing('/')),
        ("${PWD#\\a}", ExpandError::BadPattern("\\a".to_owned())),
    ];
    for (word, expected) in rows {
        assert_eq!(expand(word, '\\', &lookup), Err(expected), "{word}");
    }
    assert_eq!(expand(&"${A:-".repeat(100_000), '\\', &lookup), Err(ExpandError::TooLarge));
    let long = |_: &str| Some("a".repeat(100_000));
    assert_eq!(expand("${A//*a*a*a*b/x}", '\\', &long), Err(ExpandError::TooLarge));
}

#[test]
fn words_are_split_behind_expansion() {
    let rows: [(&str, &[&str]); 6] = [
        ("80 $TWO 'a b'", &["80", "one", "two", "a b"]),
        ("\"$TWO\"x", &["one twox"]),
        ("  ", &[]),
        ("a\\ b c", &["a b", "c"]),
        ("$NONE ''", &[]),
        ("a${TWO}b", &["aone", "twob"]),
    ];
    for (word, expected) in rows {
        assert_eq!(expand_words(word, '\\', &lookup).expect("expands"), expected, "{word}");
    }
}

#[test]
fn heredoc_bodies_keep_their_quotes() {
    let body = "it's \"$PWD\" \\$PWD \\\\\n\\\n";
    assert_eq!(expand_heredoc(body, '\\', &lookup).as_deref(), Ok("it's \"/home\" $PWD \\\n\n"));
}
