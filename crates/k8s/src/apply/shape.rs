//! How a value may be merged: the schema seen from one place of an object.

use crate::object::Value;
use crate::schema::{Field, ListType, Message, PatchStrategy, Type};

/// What merging makes of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// One value with one owner.
    Leaf,
    /// Members that are owned one by one.
    Map,
    /// A set of scalars.
    Set,
    /// Items told apart by these members.
    Keyed(&'static [&'static str]),
}

/// What the schema says of one place; nothing where it is silent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    ty: Option<Type>,
    list: ListType,
    pub(crate) patch: PatchStrategy,
}

/// A member of a map or struct.
pub(crate) struct Member {
    pub(crate) shape: Shape,
    /// Whether the schema names it, rather than it being the key of a map.
    pub(crate) named: bool,
    /// What Go's zero value of the struct above holds here.
    pub(crate) zero: Option<Value>,
}

impl Shape {
    pub(crate) const UNKNOWN: Self =
        Self { ty: None, list: ListType::Default, patch: PatchStrategy { merge: false, retain_keys: false, key: None } };

    pub(crate) fn of(message: &'static Message) -> Self {
        Self { ty: Some(Type::Message(message)), ..Self::UNKNOWN }
    }

    fn of_type(ty: Type) -> Self {
        Self { ty: Some(ty), ..Self::UNKNOWN }
    }

    pub(crate) fn field(&self, name: &str) -> Option<&'static Field> {
        let Some(Type::Message(message)) = self.ty else { return None };
        message.field(name)
    }

    pub(crate) fn member(&self, name: &str) -> Member {
        if let Some(field) = self.field(name) {
            let shape = Self { ty: Some(field.ty), list: field.list, patch: field.patch };
            return Member { shape, named: true, zero: zero_of(field) };
        }
        let shape = match self.ty {
            Some(Type::Map(value)) => Self::of_type(*value),
            _ => Self::UNKNOWN,
        };
        Member { shape, named: false, zero: None }
    }

    pub(crate) fn item(&self) -> Self {
        match self.ty {
            Some(Type::List(item)) => Self::of_type(*item),
            _ => Self::UNKNOWN,
        }
    }

    /// How this value merges; a value of another JSON type than the schema's is a leaf.
    pub(crate) fn form(&self, value: &Value) -> Form {
        match value {
            Value::Object(_) => self.form_of_map(),
            Value::Array(_) => match (self.ty, self.list) {
                (Some(Type::List(_)), ListType::Set) => Form::Set,
                (Some(Type::List(_)), ListType::Map(keys)) => Form::Keyed(keys),
                _ => Form::Leaf,
            },
            _ => Form::Leaf,
        }
    }

    fn form_of_map(&self) -> Form {
        if self.list == ListType::Atomic {
            return Form::Leaf;
        }
        match self.ty {
            Some(Type::Message(message)) if message.atomic && self.list != ListType::Granular => Form::Leaf,
            Some(Type::Message(_)) => Form::Map,
            None | Some(Type::Map(_)) => Form::Map,
            _ => Form::Leaf,
        }
    }
}

// Go's encoder always writes structs that are not pointers, and lists and maps without `omitempty`; they are there
// before anybody gave them, so nobody comes to own them by giving them a member.
fn zero_of(field: &Field) -> Option<Value> {
    if field.pointer {
        return None;
    }
    match field.ty {
        Type::Message(_) => Some(Value::Object(serde_json::Map::new())),
        Type::List(_) | Type::Map(_) if !field.omit_empty => Some(Value::Null),
        _ => None,
    }
}
