//! Answers introspection: JSON text written straight from the schema, and no more of it than was granted.
//!
//! apollo-compiler has an executor for this. It builds a tree of values before anything can be counted, and it cannot be
//! stopped; aliases make an answer of any size from a document of a few kilobytes.

use std::sync::atomic::{AtomicBool, Ordering};

use apollo_compiler::ast::{Argument, Type};
use apollo_compiler::schema::{
    Component, DirectiveDefinition, EnumValueDefinition, ExtendedType, FieldDefinition, InputValueDefinition,
};
use apollo_compiler::{Name, Node};
use indexmap::IndexMap;

use super::SchemaDocument;

/// A selected field of introspection, with what is selected under it by response key.
#[derive(Debug, Default)]
pub struct Asked<'a> {
    /// The field's own name.
    pub name: &'a str,
    /// The arguments as they are written.
    pub arguments: &'a [Node<Argument>],
    /// Of `__type`: the type's name.
    pub of: Option<&'a str>,
    /// Whether deprecated members are shown as well.
    pub deprecated: bool,
    /// The selection under it.
    pub under: IndexMap<&'a str, Asked<'a>>,
}

/// Why an answer was not written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// It would be longer than was granted.
    Beyond,
    /// Nobody waits for it any more.
    Stopped,
}

/// What may be written: bytes, until somebody says stop.
#[derive(Debug)]
pub struct Grant<'a> {
    /// Bytes that are left.
    pub bytes: usize,
    /// Set when nobody waits any more.
    pub stop: &'a AtomicBool,
}

/// Whatever introspection shows.
#[derive(Clone, Copy)]
enum Shown<'s> {
    Schema,
    Type(&'s ExtendedType),
    List(&'s Type),
    Required(&'s Name),
    RequiredList(&'s Type),
    Field(&'s FieldDefinition),
    Input(&'s InputValueDefinition),
    Value(&'s EnumValueDefinition),
    Directive(&'s DirectiveDefinition),
}

/// Directives as Hasura lists them.
const DIRECTIVES: [&str; 3] = ["include", "skip", "cached"];

impl SchemaDocument {
    /// The answer to `__schema` or `__type`, as JSON text.
    ///
    /// # Errors
    /// [`Ended`].
    pub fn answer(&self, asked: &Asked<'_>, grant: &mut Grant<'_>) -> Result<String, Ended> {
        let shown = match asked.of {
            None => Some(Shown::Schema),
            Some(name) => self.schema.types.get(name).map(Shown::Type),
        };
        let mut writer = Writer { document: self, grant, out: String::new() };
        writer.one(shown, asked)?;
        Ok(writer.out)
    }

    /// How long the answer to the introspection query is that tools send, in bytes.
    pub fn usual(&self) -> usize {
        *self.usual.get_or_init(|| {
            let stop = AtomicBool::new(false);
            let mut grant = Grant { bytes: usize::MAX, stop: &stop };
            self.answer(&usual(), &mut grant).map_or(0, |answer| answer.len())
        })
    }
}

/// The introspection query of graphql-js with everything that it may ask for.
fn usual() -> Asked<'static> {
    fn of(name: &'static str, under: Vec<Asked<'static>>) -> Asked<'static> {
        let under = under.into_iter().map(|asked| (asked.name, asked)).collect();
        Asked { name, arguments: &[], of: None, deprecated: true, under }
    }
    let leaf = |name| of(name, Vec::new());
    let reference = |name: &'static str| {
        let mut inner = of("ofType", vec![of("kind", Vec::new()), of("name", Vec::new())]);
        for _ in 0..8 {
            inner = of("ofType", vec![of("kind", Vec::new()), of("name", Vec::new()), inner]);
        }
        of(name, vec![of("kind", Vec::new()), of("name", Vec::new()), inner])
    };
    let deprecation = || vec![leaf("isDeprecated"), leaf("deprecationReason")];
    let input = |name| {
        let own = vec![leaf("name"), leaf("description"), reference("type"), leaf("defaultValue")];
        of(name, own.into_iter().chain(deprecation()).collect())
    };
    let field = vec![leaf("name"), leaf("description"), input("args"), reference("type")];
    let value = vec![leaf("name"), leaf("description")];
    let types = of(
        "types",
        vec![
            leaf("kind"),
            leaf("name"),
            leaf("description"),
            leaf("specifiedByURL"),
            of("fields", field.into_iter().chain(deprecation()).collect()),
            input("inputFields"),
            reference("interfaces"),
            of("enumValues", value.into_iter().chain(deprecation()).collect()),
            reference("possibleTypes"),
        ],
    );
    let directive = vec![leaf("name"), leaf("description"), leaf("isRepeatable"), leaf("locations"), input("args")];
    let root = |name| of(name, vec![leaf("name"), leaf("kind")]);
    let directives = of("directives", directive);
    let roots = [root("queryType"), root("mutationType"), root("subscriptionType")];
    of("__schema", roots.into_iter().chain([leaf("description"), types, directives]).collect())
}

struct Writer<'s, 'g, 'a> {
    document: &'s SchemaDocument,
    grant: &'g mut Grant<'a>,
    out: String,
}

type Done = Result<(), Ended>;

impl<'s> Writer<'s, '_, '_> {
    fn push(&mut self, text: &str) -> Done {
        self.grant.bytes = self.grant.bytes.checked_sub(text.len()).ok_or(Ended::Beyond)?;
        self.out.push_str(text);
        Ok(())
    }

    fn text(&mut self, text: Option<&str>) -> Done {
        match text {
            // A string always serialises.
            Some(text) => self.push(&serde_json::to_string(text).unwrap_or_default()),
            None => self.push("null"),
        }
    }

    fn flag(&mut self, flag: bool) -> Done {
        self.push(if flag { "true" } else { "false" })
    }

    fn one(&mut self, shown: Option<Shown<'s>>, asked: &Asked<'_>) -> Done {
        let Some(shown) = shown else { return self.push("null") };
        if self.grant.stop.load(Ordering::Relaxed) {
            return Err(Ended::Stopped);
        }
        self.push("{")?;
        for (index, (key, field)) in asked.under.iter().enumerate() {
            if index > 0 {
                self.push(",")?;
            }
            self.text(Some(key))?;
            self.push(":")?;
            self.field(shown, field)?;
        }
        self.push("}")
    }

    fn many(&mut self, all: impl IntoIterator<Item = Shown<'s>>, asked: &Asked<'_>) -> Done {
        self.push("[")?;
        for (index, shown) in all.into_iter().enumerate() {
            if index > 0 {
                self.push(",")?;
            }
            self.one(Some(shown), asked)?;
        }
        self.push("]")
    }

    fn field(&mut self, shown: Shown<'s>, asked: &Asked<'_>) -> Done {
        if asked.name == "__typename" {
            return self.text(Some(shown.type_name()));
        }
        match shown {
            Shown::Schema => self.schema(asked),
            Shown::Type(ty) => self.ty(ty, asked),
            Shown::List(_) | Shown::Required(_) | Shown::RequiredList(_) => self.wrapped(shown, asked),
            Shown::Field(field) => match asked.name {
                "name" => self.text(Some(&field.name)),
                "description" => self.text(field.description.as_deref()),
                "args" => self.inputs(&field.arguments, asked),
                "type" => self.one(self.reference(&field.ty), asked),
                name => self.deprecation(name, &field.directives),
            },
            Shown::Input(input) => match asked.name {
                "name" => self.text(Some(&input.name)),
                "description" => self.text(input.description.as_deref()),
                "type" => self.one(self.reference(&input.ty), asked),
                "defaultValue" => {
                    let default = input.default_value.as_ref().map(|value| value.serialize().no_indent().to_string());
                    self.text(default.as_deref())
                }
                name => self.deprecation(name, &input.directives),
            },
            Shown::Value(value) => match asked.name {
                "name" => self.text(Some(&value.value)),
                "description" => self.text(value.description.as_deref()),
                name => self.deprecation(name, &value.directives),
            },
            Shown::Directive(directive) => match asked.name {
                "name" => self.text(Some(&directive.name)),
                "description" => self.text(directive.description.as_deref()),
                "isRepeatable" => self.flag(directive.repeatable),
                "args" => self.inputs(&directive.arguments, asked),
                "locations" => {
                    let locations: Vec<&str> = directive.locations.iter().map(|location| location.name()).collect();
                    self.push(&serde_json::to_string(&locations).unwrap_or_default())
                }
                _ => self.push("null"),
            },
        }
    }

    fn schema(&mut self, asked: &Asked<'_>) -> Done {
        let document = self.document;
        let definition = &document.schema.schema_definition;
        let root = |name: &'s Option<apollo_compiler::schema::ComponentName>| {
            name.as_ref().and_then(|name| document.schema.types.get(name.as_str())).map(Shown::Type)
        };
        match asked.name {
            "description" => self.text(definition.description.as_deref()),
            "queryType" => self.one(root(&definition.query), asked),
            "mutationType" => self.one(root(&definition.mutation), asked),
            "subscriptionType" => self.one(root(&definition.subscription), asked),
            "types" => {
                let types = document.names.iter().filter_map(|name| document.schema.types.get(name));
                self.many(types.map(Shown::Type), asked)
            }
            "directives" => {
                let all = &document.schema.directive_definitions;
                let listed = DIRECTIVES.iter().filter_map(|name| all.get(*name));
                self.many(listed.map(|directive| Shown::Directive(directive)), asked)
            }
            _ => self.push("null"),
        }
    }

    fn ty(&mut self, ty: &'s ExtendedType, asked: &Asked<'_>) -> Done {
        let document = self.document;
        let types = &document.schema.types;
        let named = |name: &str| types.get(name).map(Shown::Type);
        match (asked.name, ty) {
            ("kind", ty) => self.text(Some(kind(ty))),
            ("name", ty) => self.text(Some(ty.name())),
            ("description", ty) => self.text(ty.description().map(|text| text.as_str())),
            ("fields", ExtendedType::Object(object)) => self.fields(object.fields.values(), asked),
            ("fields", ExtendedType::Interface(interface)) => self.fields(interface.fields.values(), asked),
            ("interfaces", ExtendedType::Object(object)) => {
                self.many(object.implements_interfaces.iter().filter_map(|name| named(name)), asked)
            }
            ("interfaces", ExtendedType::Interface(interface)) => {
                self.many(interface.implements_interfaces.iter().filter_map(|name| named(name)), asked)
            }
            ("possibleTypes", ExtendedType::Interface(interface)) => {
                let objects = document.implementers.get(&interface.name).into_iter().flat_map(|all| &all.objects);
                self.many(objects.filter_map(|name| named(name)), asked)
            }
            ("possibleTypes", ExtendedType::Union(union)) => {
                self.many(union.members.iter().filter_map(|name| named(name)), asked)
            }
            ("enumValues", ExtendedType::Enum(values)) => {
                let values =
                    values.values.values().filter(|value| asked.deprecated || !is_deprecated(&value.directives));
                self.many(values.map(|value| Shown::Value(value)), asked)
            }
            ("inputFields", ExtendedType::InputObject(input)) => {
                let fields =
                    input.fields.values().filter(|field| asked.deprecated || !is_deprecated(&field.directives));
                self.many(fields.map(|field| Shown::Input(field)), asked)
            }
            ("specifiedByURL", ExtendedType::Scalar(scalar)) => {
                let url = scalar.directives.get("specifiedBy").and_then(|one| one.specified_argument_by_name("url"));
                self.text(url.and_then(|url| url.as_str()))
            }
            _ => self.push("null"),
        }
    }

    fn fields(&mut self, all: impl Iterator<Item = &'s Component<FieldDefinition>>, asked: &Asked<'_>) -> Done {
        let shown = all.filter(|field| asked.deprecated || !is_deprecated(&field.directives));
        self.many(shown.map(|field| Shown::Field(field)), asked)
    }

    /// A list or a type that is not null: all that it says is what it wraps.
    fn wrapped(&mut self, shown: Shown<'s>, asked: &Asked<'_>) -> Done {
        match (asked.name, shown) {
            ("kind", Shown::List(_)) => self.text(Some("LIST")),
            ("kind", _) => self.text(Some("NON_NULL")),
            ("ofType", Shown::List(inner)) => self.one(self.reference(inner), asked),
            ("ofType", Shown::Required(name)) => self.one(self.document.schema.types.get(name).map(Shown::Type), asked),
            ("ofType", Shown::RequiredList(inner)) => self.one(Some(Shown::List(inner)), asked),
            _ => self.push("null"),
        }
    }

    fn reference(&self, ty: &'s Type) -> Option<Shown<'s>> {
        match ty {
            Type::Named(name) => self.document.schema.types.get(name).map(Shown::Type),
            Type::NonNullNamed(name) => Some(Shown::Required(name)),
            Type::List(inner) => Some(Shown::List(inner)),
            Type::NonNullList(inner) => Some(Shown::RequiredList(inner)),
        }
    }

    fn inputs(&mut self, inputs: &'s [Node<InputValueDefinition>], asked: &Asked<'_>) -> Done {
        let shown = inputs.iter().filter(|input| asked.deprecated || !is_deprecated(&input.directives));
        self.many(shown.map(|input| Shown::Input(input)), asked)
    }

    fn deprecation(&mut self, name: &str, directives: &apollo_compiler::ast::DirectiveList) -> Done {
        let directive = directives.get("deprecated");
        match name {
            "isDeprecated" => self.flag(directive.is_some()),
            "deprecationReason" => {
                let reason = directive.and_then(|one| one.argument_by_name("reason", &self.document.schema).ok());
                self.text(reason.and_then(|reason| reason.as_str()))
            }
            _ => self.push("null"),
        }
    }
}

impl Shown<'_> {
    fn type_name(self) -> &'static str {
        match self {
            Self::Schema => "__Schema",
            Self::Type(_) | Self::List(_) | Self::Required(_) | Self::RequiredList(_) => "__Type",
            Self::Field(_) => "__Field",
            Self::Input(_) => "__InputValue",
            Self::Value(_) => "__EnumValue",
            Self::Directive(_) => "__Directive",
        }
    }
}

fn kind(ty: &ExtendedType) -> &'static str {
    match ty {
        ExtendedType::Scalar(_) => "SCALAR",
        ExtendedType::Object(_) => "OBJECT",
        ExtendedType::Interface(_) => "INTERFACE",
        ExtendedType::Union(_) => "UNION",
        ExtendedType::Enum(_) => "ENUM",
        ExtendedType::InputObject(_) => "INPUT_OBJECT",
    }
}

fn is_deprecated(directives: &apollo_compiler::ast::DirectiveList) -> bool {
    directives.has("deprecated")
}
