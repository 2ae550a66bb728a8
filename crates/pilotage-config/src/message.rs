//! One definition per message and enumeration: struct, decoding and schema come from it. Other crates define their own
//! file formats with the same macros.

/// Defines a message of the API.
///
/// From one list of fields come the struct, its [`Decode`](crate::decode::Decode) and its table
/// of fields. A field whose JSON name is not its own name in lowerCamelCase says so with
/// `as "name"`. `one of [a, b]` after the struct names fields of which at most one may be set.
#[macro_export]
macro_rules! message {
    (
        $(#[$meta:meta])*
        pub struct $name:ident $(as $api_name:literal)? {
            $( $(#[doc = $doc:literal])* pub $field:ident $(as $json:literal)? : $type:ty, )*
        }
        $( one of [ $($choice:ident),+ ] )*
    ) => {
        $(#[$meta])*
        #[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
        pub struct $name {
            $( $(#[doc = $doc])* pub $field: $type, )*
        }

        impl $name {
            /// The fields, in the order of the definition.
            pub const FIELDS: &'static [$crate::schema::FieldInfo] = &[
                $( $crate::schema::FieldInfo {
                    name: $crate::json_name!($field $($json)?),
                    original_name: stringify!($field),
                    shape: <$type as $crate::decode::Decode>::SHAPE,
                    description: concat!($($doc),*),
                }, )*
            ];

            /// The name in the API and the fields.
            pub const SCHEMA: &'static $crate::schema::MessageSchema =
                &$crate::schema::MessageSchema {
                    name: $crate::api_name!($name $($api_name)?),
                    fields: Self::FIELDS,
                    one_of: &[$( &[$( $crate::json_name!($choice) ),+] ),*],
                };
        }

        impl $crate::decode::Decode for $name {
            const SHAPE: $crate::schema::Shape = $crate::schema::Shape::Message(Self::SCHEMA);

            fn decode(
                node: &$crate::yaml::Node,
                decoder: &mut $crate::decode::Decoder<'_>,
            ) -> Option<Self> {
                #[allow(unused_mut)]
                let mut message = Self::default();
                let mut fields = decoder.fields(node, Self::SCHEMA)?;
                while let Some((_field, _entry)) = fields.next(decoder) {
                    $( if _field.original_name == stringify!($field) {
                        decoder.set(_field, _entry, &mut message.$field);
                        continue;
                    } )*
                }
                $( decoder.at_most_one(
                    node,
                    &[$( ($crate::json_name!($choice), message.$choice.is_some()) ),+],
                ); )*
                Some(message)
            }
        }
    };
}

/// Defines an enumeration of the API: its variants with number and name, the one of number 0
/// marked `#[default]`. Further names of a value follow after `or`.
#[macro_export]
macro_rules! enumeration {
    (
        $(#[$meta:meta])*
        pub enum $name:ident $(as $api_name:literal)? {
            $( $(#[$variant_meta:meta])* $variant:ident = $number:literal $text:literal
               $(or $alias:literal)* , )+
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name {
            $( $(#[$variant_meta])* $variant, )+
        }

        impl $name {
            /// The names and numbers of the values.
            pub const SCHEMA: &'static $crate::schema::EnumSchema = &$crate::schema::EnumSchema {
                name: $crate::api_name!($name $($api_name)?),
                values: &[$( ($text, $number), $( ($alias, $number), )* )+],
            };

            /// The name of the value in YAML.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $( Self::$variant => $text, )+
                }
            }
        }

        impl $crate::decode::Decode for $name {
            const SHAPE: $crate::schema::Shape = $crate::schema::Shape::Enum(Self::SCHEMA);

            fn decode(
                node: &$crate::yaml::Node,
                decoder: &mut $crate::decode::Decoder<'_>,
            ) -> Option<Self> {
                let number = decoder.enum_number(node, Self::SCHEMA)?;
                $( if number == $number {
                    return Some(Self::$variant);
                } )+
                None
            }
        }
    };
}

/// The JSON name of a field.
#[doc(hidden)]
#[macro_export]
macro_rules! json_name {
    ($field:ident $json:literal) => {
        $json
    };
    ($field:ident) => {{
        const LENGTH: usize = $crate::schema::camel_length(stringify!($field));
        const NAME: [u8; LENGTH] = $crate::schema::camel(stringify!($field));
        match core::str::from_utf8(&NAME) {
            Ok(name) => name,
            Err(_) => "",
        }
    }};
}

/// The API's name of a message.
#[doc(hidden)]
#[macro_export]
macro_rules! api_name {
    ($name:ident $api_name:literal) => {
        $api_name
    };
    ($name:ident) => {
        stringify!($name)
    };
}

pub(crate) use {enumeration, message};
