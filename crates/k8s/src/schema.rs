//! The shape of a fact: what a message of the Kubernetes API is made of.
//!
//! One table, generated from the published Go types, holds every message; negotiation, validation, patches, apply,
//! protobuf, OpenAPI and tables are derived from it.

/// A message: a Go struct of the API.
#[derive(Debug)]
pub struct Message {
    /// OpenAPI name, such as `io.k8s.api.core.v1.PodSpec`.
    pub name: &'static str,
    /// One line for `kubectl explain`.
    pub doc: &'static str,
    /// Whether server-side apply takes values of it as a whole (`+structType=atomic` on the type).
    pub atomic: bool,
    /// Its fields in the order of their tags; fields of embedded structs (`json:",inline"`) are among them in JSON and a
    /// message of their own on the wire, see [`Field::inline`].
    pub fields: &'static [Field],
}

/// One field of a message.
#[derive(Debug)]
pub struct Field {
    /// JSON name; for an inlined field the Go type's name.
    pub json: &'static str,
    /// Protobuf tag; 0 for what stands in JSON only (`apiVersion` and `kind`, which the envelope carries).
    pub tag: u32,
    /// What it holds.
    pub ty: Type,
    /// Whether the Go field is a pointer: the generated Go encoder leaves a nil pointer out and always writes any other scalar.
    pub pointer: bool,
    /// Whether Go's JSON leaves it out when empty. False for structs by value, whose `omitempty` says nothing in Go.
    pub omit_empty: bool,
    /// Whether it must be given (no `+optional`).
    pub required: bool,
    /// Whether its members stand among those of the message that holds it, in JSON.
    pub inline: bool,
    /// How a list or map merges under server-side apply.
    pub list: ListType,
    /// How a list or map merges under a strategic merge patch.
    pub patch: PatchStrategy,
    /// Static default as JSON text (`+default=`).
    pub default: Option<&'static str>,
    /// One line for `kubectl explain`.
    pub doc: &'static str,
}

/// What a field holds.
#[derive(Clone, Copy, Debug)]
pub enum Type {
    /// `bool`.
    Bool,
    /// `int32`.
    Int32,
    /// `int64`.
    Int64,
    /// `float64`.
    Float64,
    /// `string`, and named strings.
    String,
    /// `[]byte`; base64 in JSON.
    Bytes,
    /// Another message.
    Message(&'static Message),
    /// A list.
    List(&'static Type),
    /// A map from strings.
    Map(&'static Type),
    /// A named list that the wire wraps in a message with one repeated field; a list in JSON.
    Items(&'static Type),
    /// `resource.Quantity`: a string in JSON.
    Quantity,
    /// `intstr.IntOrString`.
    IntOrString,
    /// `metav1.Time`.
    Time,
    /// `metav1.MicroTime`.
    MicroTime,
    /// `metav1.Duration`: a Go duration string in JSON.
    Duration,
    /// `runtime.RawExtension`: any object.
    Raw,
    /// `metav1.FieldsV1`: any object.
    FieldsV1,
}

/// `+listType`, `+mapType`, `+structType`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ListType {
    /// Lists: replaced as a whole. Maps and structs: merged by member.
    #[default]
    Default,
    /// One value with one owner.
    Atomic,
    /// Merged by member although the message is atomic by itself.
    Granular,
    /// A set of scalars.
    Set,
    /// Merged by these members of each item.
    Map(&'static [&'static str]),
}

/// `patchStrategy` and `patchMergeKey`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PatchStrategy {
    /// Merge instead of replace.
    pub merge: bool,
    /// Drop members that the patch does not name (`retainKeys`).
    pub retain_keys: bool,
    /// The member by which items of a merged list are told apart.
    pub key: Option<&'static str>,
}

impl Field {
    /// A field with nothing said of it; the generated table says what differs.
    pub const PLAIN: Self = Self {
        json: "",
        tag: 0,
        ty: Type::String,
        pointer: false,
        omit_empty: false,
        required: false,
        inline: false,
        list: ListType::Default,
        patch: PatchStrategy { merge: false, retain_keys: false, key: None },
        default: None,
        doc: "",
    };
}

impl Message {
    /// The Go type's name, such as `PodSpec`.
    pub fn go_name(&self) -> &'static str {
        self.name.rsplit('.').next().unwrap_or(self.name)
    }

    /// Every field as JSON shows it: those of inlined messages in the place of their holder.
    pub fn members(&'static self) -> Vec<&'static Field> {
        let mut members = Vec::with_capacity(self.fields.len());
        for field in self.fields {
            match field.ty {
                Type::Message(inner) if field.inline => members.extend(inner.members()),
                _ => members.push(field),
            }
        }
        members
    }

    /// The field of this JSON name, also among inlined ones.
    pub fn field(&self, json: &str) -> Option<&'static Field> {
        self.fields.iter().find_map(|field| match field.ty {
            Type::Message(inner) if field.inline => inner.field(json),
            _ => (field.json == json && !field.inline).then_some(field),
        })
    }
}
