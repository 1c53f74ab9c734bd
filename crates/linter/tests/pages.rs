//! Every rule's page is complete, and its examples are what they say.

use linter::{Options, RULES, lint};

fn example(page: &str, heading: &str) -> String {
    let section = page.split(&format!("\n## {heading}\n")).nth(1).unwrap_or_else(|| panic!("no `{heading}` in\n{page}"));
    let block = section.split("```dockerfile\n").nth(1).expect("an example");
    block.split("```").next().expect("its end").to_owned()
}

fn codes(source: &str) -> Vec<String> {
    lint("Dockerfile", source, &Options::default()).into_iter().map(|finding| finding.rule).collect()
}

#[test]
fn examples_are_bad_and_good() {
    for rule in RULES {
        assert!(rule.page.starts_with(&format!("# {}\n", rule.code)), "{}", rule.code);
        assert!(rule.page.contains("\n## Why\n"), "{}", rule.code);
        assert!(codes(&example(rule.page, "Bad")).iter().any(|code| code == rule.code), "the bad example of {} is not found", rule.code);
        assert_eq!(codes(&example(rule.page, "Good")), Vec::<String>::new(), "the good example of {}", rule.code);
    }
}

#[test]
fn rules_stand_in_order_of_their_codes() {
    assert!(RULES.windows(2).all(|pair| pair[0].code < pair[1].code));
    assert_eq!(RULES.len(), 15);
}
