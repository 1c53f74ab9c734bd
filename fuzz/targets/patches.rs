//! Any patch of any object is applied or refused; applying the same intent twice changes nothing.
//!
//! The bytes choose among the fields of a kind, so that objects and patches mean something; now and then a value has another type.
#![no_main]

use k8s::apply::{Manager, Operation};
use k8s::schema::{Field, Message, Type};
use libfuzzer_sys::arbitrary::{Result, Unstructured};
use serde_json::{Map, Value, json};

const DEEP: usize = 12;
const WORDS: &[&str] = &["", "a", "b", "c", "http", "TCP", "x/y~z", "10m", "1Gi", "2024-01-01T00:00:00Z", "\u{e9}\0"];

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = case(&mut Unstructured::new(bytes));
});

fn case(input: &mut Unstructured<'_>) -> Result<()> {
    let kind = input.choose(k8s::KINDS)?;
    let (live, intent) = (message(input, kind.schema, 0, false)?, message(input, kind.schema, 0, false)?);
    let typed = |value: &Value| k8s::fields::check(kind.schema, value).map(|checked| checked.value);
    let (Ok(mut live), Ok(intent)) = (typed(&live), typed(&intent)) else { return Ok(()) };
    without_nulls(&mut live);
    let patch = message(input, kind.schema, 0, true)?;
    let _ = k8s::patch::json_patch(&live, &operations(input, &live)?);
    let _ = k8s::patch::merge_patch(&live, &patch);
    let _ = k8s::patch::strategic(kind.schema, &live, &patch);
    let api_version = kind.api_version();
    let manager = |name| Manager {
        name,
        operation: Operation::Apply,
        api_version: &api_version,
        subresource: "",
        time: Default::default(),
        ignored: &[],
    };
    let Ok(once) = k8s::apply::apply(kind.schema, Some(&live), &intent, &manager("fuzz"), true) else { return Ok(()) };
    // Who owns nothing is not noted; to the next apply the object looks as if nobody had applied it before.
    let is_owner = once["metadata"]["managedFields"].to_string().contains("\"fuzz\"");
    if let (true, Ok(twice)) = (is_owner, k8s::apply::apply(kind.schema, Some(&once), &intent, &manager("fuzz"), true)) {
        assert_eq!(once, twice, "of {intent}");
    }
    let _ = k8s::apply::apply(kind.schema, Some(&once), &patch, &manager("other"), false);
    Ok(())
}

/// What is stored has none.
fn without_nulls(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.retain(|_, member| !member.is_null());
            members.values_mut().for_each(without_nulls);
        }
        Value::Array(items) => {
            items.retain(|item| !item.is_null());
            items.iter_mut().for_each(without_nulls);
        }
        _ => {}
    }
}

fn message(input: &mut Unstructured<'_>, message: &'static Message, deep: usize, is_patch: bool) -> Result<Value> {
    let members: Vec<&Field> = message.members();
    let mut object = Map::new();
    let count = input.int_in_range(0..=if deep == 0 { 6 } else { 4 })?;
    for _ in 0..count {
        if members.is_empty() {
            break;
        }
        let field = input.choose(&members)?;
        object.insert(field.json.to_owned(), value(input, field.ty, deep + 1, is_patch)?);
        // Items of a keyed list need their keys to be told apart.
        if let (true, Some(key)) = (input.ratio(1, 2)?, members.iter().find(|field| field.json == "name")) {
            object.insert(key.json.to_owned(), json!(input.choose(WORDS)?));
        }
    }
    if is_patch && input.ratio(1, 6)? {
        directive(input, &members, &mut object)?;
    }
    Ok(Value::Object(object))
}

fn directive(input: &mut Unstructured<'_>, members: &[&Field], object: &mut Map<String, Value>) -> Result<()> {
    let name = if members.is_empty() { "x" } else { input.choose(members)?.json };
    let list = json!([input.choose(WORDS)?, {"name": input.choose(WORDS)?}]);
    match input.int_in_range(0..=4)? {
        0 => object.insert("$patch".to_owned(), json!(input.choose(&["delete", "replace", "merge", "other"])?)),
        1 => object.insert("$retainKeys".to_owned(), json!([name])),
        2 => object.insert(format!("$setElementOrder/{name}"), list),
        3 => object.insert(format!("$deleteFromPrimitiveList/{name}"), list),
        _ => object.insert(name.to_owned(), Value::Null),
    };
    Ok(())
}

fn value(input: &mut Unstructured<'_>, ty: Type, deep: usize, is_patch: bool) -> Result<Value> {
    if deep > DEEP || input.ratio(1, if is_patch { 24 } else { 200 })? {
        return Ok(input.choose(&[Value::Null, json!(7), json!("word"), json!([]), json!({}), json!([[1], {"a": null}])])?.clone());
    }
    Ok(match ty {
        Type::Bool => json!(input.arbitrary::<bool>()?),
        Type::Int32 | Type::Int64 => json!(input.int_in_range(-1..=100)?),
        Type::Float64 => json!(input.arbitrary::<i8>()?),
        Type::String | Type::Bytes | Type::Quantity | Type::Time | Type::MicroTime | Type::Duration => json!(input.choose(WORDS)?),
        Type::IntOrString => {
            if input.arbitrary()? {
                json!(80)
            } else {
                json!("http")
            }
        }
        Type::Message(inner) => message(input, inner, deep, is_patch)?,
        Type::List(item) | Type::Items(item) => {
            let count = input.int_in_range(0..=3)?;
            Value::Array((0..count).map(|_| value(input, *item, deep + 1, is_patch)).collect::<Result<_>>()?)
        }
        Type::Map(item) => {
            let count = input.int_in_range(0..=3)?;
            let member = |input: &mut Unstructured<'_>| Ok(((*input.choose(WORDS)?).to_owned(), value(input, *item, deep + 1, is_patch)?));
            Value::Object((0..count).map(|_| member(input)).collect::<Result<_>>()?)
        }
        Type::Raw | Type::FieldsV1 => json!({"f:spec": {"f:a": {}, "k:{\"name\":\"a\"}": {".": {}}}}),
    })
}

/// A list of JSON patch operations on places that are there, or nearly.
fn operations(input: &mut Unstructured<'_>, live: &Value) -> Result<Value> {
    let mut list = Vec::new();
    for _ in 0..input.int_in_range(0..=4)? {
        let mut operation =
            json!({"op": input.choose(&["add", "remove", "replace", "move", "copy", "test", "no"])?, "path": place(input, live)?});
        operation["from"] = json!(place(input, live)?);
        operation["value"] = json!(input.choose(WORDS)?);
        list.push(operation);
    }
    Ok(Value::Array(list))
}

fn place(input: &mut Unstructured<'_>, live: &Value) -> Result<String> {
    let (mut path, mut at) = (String::new(), live);
    while input.ratio(3, 4)? {
        let (name, next) = match at {
            Value::Object(members) if !members.is_empty() => {
                let (name, next) = members.iter().nth(input.choose_index(members.len())?).expect("one of them");
                (name.replace('~', "~0").replace('/', "~1"), next)
            }
            Value::Array(items) if !items.is_empty() => {
                let number = input.choose_index(items.len())?;
                (number.to_string(), &items[number])
            }
            _ => break,
        };
        path = format!("{path}/{name}");
        at = next;
    }
    Ok(path + input.choose(&["", "", "", "/-", "/99", "/new", "~2", "x"])?)
}
