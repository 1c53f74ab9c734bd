//! Whatever the source: no panic, and the tree gives it back byte for byte.

use dockerfile::{Instruction, Item, Kind, Span, expand, expand_heredoc, expand_words, parse};
use proptest::prelude::*;

/// Pieces of Dockerfiles, so that random sources reach deep.
const PIECES: [&str; 44] = [
    "FROM ",
    "RUN ",
    "COPY ",
    "ADD ",
    "ENV ",
    "ARG ",
    "LABEL ",
    "ONBUILD ",
    "HEALTHCHECK ",
    "SHELL ",
    "CMD ",
    "EXPOSE ",
    "VOLUME ",
    "--mount=",
    "--from=",
    "type=cache",
    ",target=",
    "--",
    "<<EOF",
    "<<-'E'",
    "EOF",
    "E",
    "\\",
    "\\\n",
    "\n",
    "\r\n",
    "#",
    "# escape=`",
    "`\n",
    "[\"a\", \"b\"]",
    "[",
    "'",
    "\"",
    "$A",
    "${A:-",
    "}",
    "=",
    " ",
    "\t",
    "ü",
    "한",
    "\u{feff}",
    "\u{a0}",
    "as ",
];

fn sources() -> impl Strategy<Value = String> {
    let pieces = proptest::collection::vec(proptest::sample::select(PIECES.as_slice()), 0..60).prop_map(|pieces| pieces.concat());
    prop_oneof![pieces, any::<String>()]
}

fn check_span(source: &str, span: Span) {
    assert!(source.get(span.start..span.end).is_some(), "{span:?} cuts {source:?}");
}

fn check_instruction(source: &str, instruction: &Instruction) {
    check_span(source, instruction.span);
    check_span(source, instruction.keyword.span);
    check_span(source, instruction.arguments.span);
    assert!(instruction.keyword.span.of(source).replace("\\\n", "").len() >= instruction.keyword.text.len());
    instruction.flags.iter().for_each(|flag| check_span(source, flag.span));
    for heredoc in &instruction.heredocs {
        assert_eq!(heredoc.body_span.of(source), heredoc.body);
    }
    if let Kind::Onbuild(onbuild) = &instruction.kind {
        check_instruction(source, &onbuild.instruction);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_tree_gives_the_source_back(source in sources()) {
        let parsed = parse(&source);
        prop_assert_eq!(parsed.to_source(), source.clone());
        let mut at = 0;
        for item in &parsed.items {
            prop_assert_eq!(item.span().start, at);
            at = item.span().end;
            if let Item::Instruction(instruction) = item {
                check_instruction(&source, instruction);
            }
        }
        prop_assert_eq!(at, source.len());
        for error in &parsed.errors {
            prop_assert!(error.line >= 1 && error.column >= 1 && !error.message.is_empty());
        }
        parsed.stages();
    }

    #[test]
    fn expansion_never_panics(word in sources()) {
        let lookup = |name: &str| (name.len() % 2 == 1).then(|| name.repeat(3));
        let _ = expand(&word, '\\', &lookup);
        let _ = expand_words(&word, '`', &lookup);
        let _ = expand_heredoc(&word, '\\', &lookup);
    }

    #[test]
    fn plain_text_expands_to_itself(word in "[a-zA-Z0-9_./:=-]*") {
        prop_assert_eq!(expand(&word, '\\', &|_| None).ok(), Some(word));
    }
}
