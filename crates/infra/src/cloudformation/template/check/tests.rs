//! Each kind of mistake is found at its place, and sound templates have none.

use super::super::{Template, parse};
use crate::provider::Declared;
use proptest::prelude::*;

fn check(text: &str, declared: Declared) -> Vec<String> {
    let declared = Declared { template: text.to_owned(), name: "cluster".to_owned(), ..declared };
    let template: Template = match parse("t.yaml", text) {
        Ok(template) => template,
        Err(findings) => return findings.into_iter().map(|finding| format!("{} {}", finding.place, finding.message)).collect(),
    };
    template.check(&declared).into_iter().map(|finding| format!("{} {}", finding.place, finding.message)).collect()
}

const SOUND: &str = r#"
AWSTemplateFormatVersion: "2010-09-09"
Parameters:
  Size: { Type: Number, Default: 2 }
  Word: { Type: String, AllowedValues: [a, b] }
Conditions:
  Many: !Not [!Equals [!Ref Size, 1]]
Mappings:
  M: { x: { y: z } }
Resources:
  Net:
    Type: AWS::EC2::VPC
    Properties: { CidrBlock: !FindInMap [M, x, y], Tags: [{ Key: n, Value: !Sub "${AWS::StackName}-${Word}-${!kept}" }] }
  Sub:
    Type: AWS::EC2::Subnet
    DependsOn: Net
    Condition: Many
    Properties:
      VpcId: !Ref Net
      CidrBlock: !If [Many, !GetAtt Net.CidrBlock, !Sub ["${x}", { x: !Ref Word }]]
Outputs:
  Id: { Value: { "Fn::GetAtt": [Sub, Arn] } }
"#;

fn word(value: &str) -> Declared {
    Declared { parameters: [("Word".to_owned(), value.to_owned())].into(), ..Declared::default() }
}

#[test]
fn a_sound_template_has_no_findings() {
    assert_eq!(check(SOUND, word("a")), Vec::<String>::new());
}

#[test]
fn every_mistake_is_found_where_it_stands() {
    let rows = [
        ("Resources:", "Resorces:", "t.yaml:9:1 a template has no section `Resorces`"),
        ("!Ref Net", "!Ref Nett", "t.yaml:18:14 there is no parameter or resource `Nett`"),
        ("Net.CidrBlock", "Mesh.CidrBlock", "t.yaml:19:29 there is no resource `Mesh`"),
        ("DependsOn: Net", "DependsOn: [Net, Q]", "t.yaml:15:22 there is no resource `Q`"),
        ("Condition: Many", "Condition: Few", "t.yaml:16:16 there is no condition `Few`"),
        ("[M, x, y]", "[N, x, y]", "t.yaml:12:42 there is no mapping `N`"),
        ("${Word}", "${World}", "t.yaml:12:76 there is no parameter or resource `World`"),
        ("AWS::EC2::VPC", "VPC", "t.yaml:11:11 `VPC` is no type"),
        ("    DependsOn: Net", "    Dependson: Net", "t.yaml:15:5 a resource has no attribute `Dependson`"),
        ("[Sub, Arn]", "[Subb, Arn]", "there is no resource `Subb`"),
    ];
    for (from, to, expected) in rows {
        let text = SOUND.trim_start().replacen(from, to, 1);
        let found = check(&text, word("a"));
        assert!(found.iter().any(|finding| finding.contains(expected)), "{from} -> {to}: {found:?}");
    }
}

#[test]
fn values_are_held_against_their_parameters() {
    let rows = [
        (Declared::default(), "`Word` has no default and is not set"),
        (word("c"), "`Word`: `c` is not one of a, b"),
        (Declared { parameters: [("Wort".to_owned(), "a".to_owned())].into(), ..Declared::default() }, "there is no parameter `Wort`"),
        (
            Declared {
                parameters: [("Word".to_owned(), "a".to_owned()), ("Size".to_owned(), "two".to_owned())].into(),
                ..Declared::default()
            },
            "`two` is no number",
        ),
        (
            Declared { secrets: [("Word".to_owned(), crate::aws::Secret::new("hunter2"))].into(), ..Declared::default() },
            "everybody who sees the stack",
        ),
    ];
    for (declared, expected) in rows {
        let found = check(SOUND, declared);
        assert!(found.iter().any(|finding| finding.contains(expected)), "{expected}: {found:?}");
        assert!(!found.iter().any(|finding| finding.contains("hunter2")), "{found:?}");
    }
}

/// What a macro takes has sections, names and forms that the service itself does not know.
#[test]
fn what_a_macro_makes_is_not_judged() {
    for text in [
        "Transform: AWS::Serverless-2016-10-31\nGlobals: { Function: { Timeout: 3 } }\nResources: { F: { Type: AWS::Serverless::Function, Connectors: {} } }",
        "Transform: [AWS::LanguageExtensions]\nResources:\n  Fn::ForEach::Topics: [Name, [a, b], { 'Topic${Name}': { Type: AWS::SNS::Topic } }]",
        "Resources:\n  Fn::Transform: { Name: AWS::Include, Parameters: { Location: s3://b/k } }",
        "Resources:\n  A: { Type: AWS::SNS::Topic, Properties: { Fn::Transform: { Name: M } } }\nOutputs: { O: { Value: !Ref Made } }",
    ] {
        assert_eq!(check(text, Declared::default()), Vec::<String>::new(), "{text}");
        let capabilities = parse("t", text).expect("yaml").capabilities();
        assert_eq!(capabilities, ["CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"], "it may make roles: {text}");
    }
    for text in ["Transform: M\nGlobals: {}", "Transform: M\nResources: [a]", "Globals: {}\nResources: { A: { Type: T::T } }"] {
        assert_eq!(check(text, Declared::default()).len(), 1, "{text}");
    }
    let missing = check("Transform: M\nParameters: { P: { Type: String } }\nResources: { A: {} }", Declared::default());
    assert!(missing.concat().contains("`P` has no default"), "values are still wanted: {missing:?}");
}

#[test]
fn each_item_of_a_list_is_held_against_what_is_allowed() {
    let rows = [
        ("CommaDelimitedList", "[a, b, c]", "a,b", ""),
        ("CommaDelimitedList", "[a, b, c]", "a, c", ""),
        ("CommaDelimitedList", "[a, b, c]", "a,d,b", "`d` of `a,d,b` is not one of a, b, c"),
        ("List<Number>", "[1, 2]", "2,1", ""),
        ("List<Number>", "[1, 2]", "1,3", "`3` of `1,3` is not one of 1, 2"),
        ("List<Number>", "[]", "1,two", "`two` of `1,two` is no number"),
        ("List<AWS::EC2::Subnet::Id>", "[s-1, s-2]", "s-1,s-2", ""),
        ("String", "[a, b]", "a,b", "`a,b` is not one of a, b"),
        ("String", "['a,b']", "a,b", ""),
        ("AWS::SSM::Parameter::Value<List<String>>", "[/k]", "/k", ""),
    ];
    for (kind, allowed, value, expected) in rows {
        let text = format!(
            "Parameters: {{ Word: {{ Type: '{kind}', AllowedValues: {allowed} }} }}\nResources: {{ A: {{ Type: T::T, Properties: {{ X: !Ref Word }} }} }}"
        );
        let found = check(&text, word(value)).concat();
        assert!(if expected.is_empty() { found.is_empty() } else { found.contains(expected) }, "{kind} {allowed} {value}: {found}");
    }
}

#[test]
fn circles_and_forms_are_told() {
    let circle = "Resources:\n  A: { Type: T::T, DependsOn: B }\n  B: { Type: T::T, Properties: { X: !Ref A } }\n";
    assert_eq!(check(circle, Declared::default()), ["t.yaml:2:3 these need each other: A -> B -> A"]);
    for text in ["", "[", "a: 1\na: 2", "--- {}\n--- {}", &"[".repeat(200), "Resources: {}"] {
        assert!(!check(text, Declared::default()).is_empty(), "{text}");
    }
    let json = r#"{"Resources": {"A": {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": {"Ref": "AWS::StackName"}}}}}"#;
    assert_eq!(check(json, Declared::default()), Vec::<String>::new());
}

#[test]
fn rights_are_acknowledged_only_where_they_are_made() {
    let of = |text: &str| parse("t", text).expect("yaml").capabilities();
    assert!(of(SOUND).is_empty());
    assert_eq!(of("Resources: { R: { Type: AWS::IAM::Role } }"), ["CAPABILITY_NAMED_IAM"]);
    assert_eq!(of("Resources: { R: { Type: AWS::CloudFormation::Stack } }"), ["CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"]);
}

proptest! {
    #[test]
    fn never_panics(text in "(Resources|Outputs|Parameters|A|!Ref|!Sub|!GetAtt|\\$\\{|\\}|:|,|\\[|\\]|\\{|\\}|&a|\\*a|-|\n| |\"|Type|T::T|Properties|DependsOn){0,60}") {
        let _ = check(&text, Declared::default());
    }
}
