//! The fields that are asked of a remote schema.

use apollo_compiler::Schema;
use apollo_compiler::ast::FieldDefinition;
use indexmap::IndexMap;
use serde_json::Value;

use super::{Piece, RemoteField, RemoteShape, TYPE_KEY, Template, no_definition, own_name};
use crate::error::{ErrorCode, GraphqlError, Result};
use crate::plan::collect::{Collector, Selected};
use crate::schema::RemoteTypes;
use crate::schema::model::join::Left;
use crate::schema::model::types::{FieldKind, TypeId, TypeKind};
use crate::schema::remote::field_of;

/// What a relationship binds of a field's arguments.
pub(super) type Bound<'a> = (&'a IndexMap<String, Value>, &'a [Left]);

/// Writes a request to one remote schema.
pub(super) struct Writer<'a> {
    pub collector: &'a Collector<'a>,
    pub types: &'a RemoteTypes,
    /// What the role sees of it.
    pub visible: &'a Schema,
    pub template: Template,
}

impl<'a> Writer<'a> {
    pub fn new(collector: &'a Collector<'a>, place: usize) -> Result<Self> {
        let types = collector.remotes.get(place).ok_or_else(no_definition)?;
        let visible = types.visible(&collector.schema.role).ok_or_else(no_definition)?;
        Ok(Self { collector, types, visible, template: Template::default() })
    }

    pub fn text(&mut self, text: &str) {
        append(&mut self.template.pieces, text);
    }

    /// The definition of a field that the role sees, by own names.
    pub fn field_of(&self, ty: &str, name: &str) -> Result<&'a FieldDefinition> {
        field_of(self.visible, ty, name).ok_or_else(no_definition)
    }

    /// Writes a field with what is selected under it.
    pub fn field(
        &mut self,
        key: Option<&str>,
        definition: &'a FieldDefinition,
        selected: &Selected<'a>,
        bound: Option<Bound<'a>>,
    ) -> Result<RemoteShape> {
        if let Some(key) = key.filter(|key| *key != definition.name.as_str()) {
            self.text(key);
            self.text(": ");
        }
        self.text(definition.name.as_str());
        self.arguments(definition, selected.arguments, &selected.path, bound)?;
        let ty = selected.field.ok_or_else(no_definition)?.ty.base();
        match &self.collector.schema.ty(ty).kind {
            TypeKind::Object(..) => {
                self.text(" { ");
                let fields = self.object(ty, selected)?;
                self.text("}");
                Ok(RemoteShape::of(fields))
            }
            TypeKind::Interface(_) | TypeKind::Union(_) => self.one_of(ty, selected),
            TypeKind::Scalar | TypeKind::Enum(_) => Ok(RemoteShape::Plain),
            TypeKind::Input(_) => Err(selected.unexpected("a remote field that can be answered")),
        }
    }

    /// Writes the fields of an object.
    pub fn object(&mut self, ty: TypeId, selected: &Selected<'a>) -> Result<Vec<(String, RemoteField)>> {
        let own = own_name(self.collector, ty)?;
        let mut fields = Vec::new();
        let mut written = false;
        let chosen = self.collector.collect(ty, &selected.under, &selected.path)?;
        for field in &chosen {
            let (value, wrote) = self.member(ty, own, field, &chosen)?;
            written |= wrote;
            fields.push((field.key.to_owned(), value));
        }
        if !written {
            // A selection may not be empty.
            self.text("__typename ");
        }
        Ok(fields)
    }

    /// Writes one of the fields that are chosen of an object; says whether anything was written.
    fn member(
        &mut self,
        ty: TypeId,
        own: &str,
        field: &Selected<'a>,
        chosen: &[Selected<'a>],
    ) -> Result<(RemoteField, bool)> {
        let key = field.key.to_owned();
        let Some(definition) = field.field else {
            // The type of a namespace's fields is the engine's to name.
            let is_root = self.types.names.namespace.is_some() && self.types.is_root(own);
            if self.types.names.renames_types() || is_root {
                let name = &self.collector.schema.ty(ty).name;
                return Ok((RemoteField::Constant(format!("\"{name}\"")), false));
            }
            if field.key != "__typename" {
                self.text(field.key);
                self.text(": ");
            }
            self.text("__typename ");
            return Ok((RemoteField::Value(key, RemoteShape::Plain), true));
        };
        match &definition.kind {
            FieldKind::Remote(name) => {
                let remote = self.field_of(own, name)?;
                let shape = self.field(Some(field.key), remote, field, None)?;
                self.text(" ");
                Ok((RemoteField::Value(key, shape), true))
            }
            FieldKind::Join(place) | FieldKind::JoinAggregate(place) => {
                let info = self.types.joins.get(own).and_then(|joins| joins.get(*place)).ok_or_else(no_definition)?;
                let aggregate = matches!(definition.kind, FieldKind::JoinAggregate(_));
                let index = self.collector.join(info, field, aggregate)?;
                let mut keys = Vec::with_capacity(info.left.len());
                let mut wrote = false;
                for left in &info.left {
                    let asked = chosen.iter().find(|other| {
                        let name = other.field.map(|field| &field.kind);
                        other.arguments.is_empty()
                            && matches!(name, Some(FieldKind::Remote(name)) if *name == left.name)
                    });
                    if let Some(asked) = asked {
                        keys.push(asked.key.to_owned());
                        continue;
                    }
                    let key = format!("{}_join_column", left.name);
                    self.text(&format!("{key}: {} ", left.name));
                    keys.push(key);
                    wrote = true;
                }
                Ok((RemoteField::Join(index, keys), wrote))
            }
            _ => {
                let message = format!("the field '{}' cannot be selected here", field.name);
                Err(GraphqlError::at(field.path.clone(), ErrorCode::NotSupported, message))
            }
        }
    }

    /// Writes the fields of an interface or union: as they stand where all its types have the same, else type by type.
    fn one_of(&mut self, ty: TypeId, selected: &Selected<'a>) -> Result<RemoteShape> {
        let schema = self.collector.schema;
        let members: Vec<TypeId> = match &schema.ty(ty).kind {
            TypeKind::Union(members) => members.clone(),
            _ => (0..schema.types.list.len())
                .filter(|&id| matches!(&schema.ty(id).kind, TypeKind::Object(_, all) if all.contains(&ty)))
                .collect(),
        };
        let common = self.collector.collect(ty, &selected.under, &selected.path)?;
        let common: Vec<&str> = common.iter().map(|field| field.key).collect();
        let mut alike = !(self.types.names.renames_types() && common.contains(&"__typename"));
        for &member in &members {
            let fields = self.collector.collect(member, &selected.under, &selected.path)?;
            alike &= fields.iter().map(|field| field.key).eq(common.iter().copied());
            alike &= !(self.types.names.renames_types() && fields.iter().any(|field| field.field.is_none()));
        }
        self.text(" { ");
        if alike {
            let fields = self.object(ty, selected)?;
            self.text("}");
            return Ok(RemoteShape::of(fields));
        }
        let mut shapes = Vec::with_capacity(members.len());
        for member in members {
            let own = own_name(self.collector, member)?;
            if self.collector.collect(member, &selected.under, &selected.path)?.is_empty() {
                continue;
            }
            self.text(&format!("... on {own} {{ "));
            let fields = self.object(member, selected)?;
            self.text("} ");
            shapes.push((own.to_owned(), fields));
        }
        let plain = !shapes.is_empty() && shapes.iter().all(|(_, fields)| RemoteShape::is_plain(fields));
        if !plain {
            self.text(&format!("{TYPE_KEY}: __typename "));
        }
        self.text("}");
        Ok(if plain { RemoteShape::Plain } else { RemoteShape::OneOf(shapes) })
    }
}

/// Adds text to pieces.
pub(super) fn append(pieces: &mut Vec<Piece>, text: &str) {
    match pieces.last_mut() {
        Some(Piece::Text(last)) => last.push_str(text),
        _ => pieces.push(Piece::Text(text.to_owned())),
    }
}
