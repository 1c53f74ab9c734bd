//! The two macros behind the table of fields: a section and a set of words, each written once.

/// A section: a struct, its fields' names, kinds, helps and defaults, and its reader, from one list.
macro_rules! section {
    ($(#[$meta:meta])* $name:ident { $($(#[doc = $help:literal])+ $key:literal $field:ident: $kind:ty $(= $default:literal)?,)* }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        pub struct $name {
            $($(#[doc = $help])+ pub $field: $kind,)*
        }

        impl $name {
            pub(crate) const FIELDS: &'static [$crate::settings::shape::Field] = &[$($crate::settings::shape::Field {
                name: $key,
                help: concat!($($help),+),
                shape: <$kind as $crate::settings::reader::Shaped>::shape,
                default: $crate::settings::section::section!(@default $($default)?),
                required: <$kind as $crate::settings::reader::Shaped>::REQUIRED,
            },)*];
        }

        impl $crate::settings::reader::Shaped for $name {
            const FROM_NOTHING: bool = true;

            fn shape() -> $crate::settings::shape::Shape {
                $crate::settings::shape::Shape::Section(Self::FIELDS)
            }

            fn read(node: &$crate::settings::node::Node, reader: &mut $crate::settings::reader::Reader) -> Self {
                reader.section(node, Self::FIELDS);
                let mut fields = Self::FIELDS.iter();
                let mut next = || fields.next().expect("a field of the table stands for every field of the struct");
                Self { $($field: reader.field(node, next()),)* }
            }
        }
    };
    (@default) => { None };
    (@default $default:literal) => { Some($default) };
}

/// An enum of words.
macro_rules! words {
    ($(#[$meta:meta])* $name:ident { $($(#[doc = $help:literal])+ $word:literal $variant:ident,)* }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            #[default]
            $($(#[doc = $help])+ $variant,)*
        }

        impl $name {
            const WORDS: &'static [&'static str] = &[$($word),*];

            /// The word as written in settings.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)*
                }
            }
        }

        impl $crate::settings::reader::Shaped for $name {
            const REQUIRED: bool = true;

            fn shape() -> $crate::settings::shape::Shape {
                $crate::settings::shape::Shape::OneOf(Self::WORDS)
            }

            fn read(node: &$crate::settings::node::Node, reader: &mut $crate::settings::reader::Reader) -> Self {
                let parse = |text: &str| [$(Self::$variant),*].into_iter().find(|known| known.name() == text).map(|known| (known, text.into()));
                reader.parsed(node, &Self::shape(), parse).unwrap_or_default()
            }
        }
    };
}

pub(crate) use {section, words};
