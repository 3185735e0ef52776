//! A schema and its reader that disagree: nothing a branch does not expect becomes a condition that always holds.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::{Planner, compile};
use crate::error::{ErrorCode, Result};
use crate::metadata::QualifiedName;
use crate::options::Limits;
use crate::request::Request;
use crate::schema::model::boolexp::BoolExp;
use crate::schema::model::scalar::ScalarType;
use crate::schema::model::types::{
    Field, FieldKind, InputField, InputKind, ReadRoot, RootField, RowInput, TypeKind, TypeRef, WriteRoot,
};
use crate::schema::model::{ColumnInfo, DeleteRule, InsertRule, Permissions, SelectRule, TableInfo, UpdateRule};
use crate::schema::{Model, RoleSchema};

const ROLE: &str = "admin";

/// A table `things` of two columns, with which the role may do everything.
fn model() -> Model {
    let column = |name: &str, database: &str, oid| ColumnInfo {
        name: name.to_owned(),
        field: name.to_owned(),
        ty: ScalarType::builtin(database),
        oid,
        enum_table: None,
        not_null: false,
        writable: true,
        description: None,
    };
    let select = SelectRule {
        columns: vec![true; 2],
        guards: vec![None; 2],
        computed: Vec::new(),
        computed_guards: Vec::new(),
        filter: BoolExp::TRUE,
        limit: None,
        aggregations: true,
        query_roots: None,
        subscription_roots: None,
    };
    let (columns, presets, backend_only) = (vec![true; 2], Vec::new(), false);
    let (filter, check) = (BoolExp::TRUE, BoolExp::TRUE);
    let insert = InsertRule { columns: columns.clone(), presets: presets.clone(), check: check.clone(), backend_only };
    let delete = DeleteRule { filter: filter.clone(), backend_only };
    let update = UpdateRule { columns, presets, filter, check, backend_only };
    let permissions = Permissions {
        select: Some(Arc::new(select)),
        insert: Some(Arc::new(insert)),
        update: Some(Arc::new(update)),
        delete: Some(Arc::new(delete)),
    };
    let name = QualifiedName::new("public", "things");
    let named = |verb: &str| format!("{verb}things");
    let roots = crate::schema::model::RootNames {
        select: named(""),
        select_by_pk: "things_by_pk".to_owned(),
        select_aggregate: "things_aggregate".to_owned(),
        select_stream: "things_stream".to_owned(),
        insert: named("insert_"),
        insert_one: "insert_things_one".to_owned(),
        update: named("update_"),
        update_by_pk: "update_things_by_pk".to_owned(),
        update_many: "update_things_many".to_owned(),
        delete: named("delete_"),
        delete_by_pk: "delete_things_by_pk".to_owned(),
    };
    let table = TableInfo {
        name: name.clone(),
        graphql_name: "things".to_owned(),
        description: None,
        columns: vec![column("id", "int4", 23), column("name", "text", 25)],
        primary_key: vec![0],
        constraints: vec![("things_pkey".to_owned(), vec![0])],
        relationships: Vec::new(),
        computed: Vec::new(),
        joins: Vec::new(),
        enum_values: None,
        roots,
        root_comments: HashMap::new(),
        mutable: (true, true, true),
        permissions: HashMap::from([(ROLE.to_owned(), permissions)]),
    };
    Model { tables: vec![table], by_name: HashMap::from([(name, 0)]), roles: vec![ROLE.to_owned()], ..Model::default() }
}

/// Plans a document against the role's schema after a change to it.
fn planned(change: impl FnOnce(&mut RoleSchema), query: &str) -> Result<()> {
    let model = model();
    let mut schema = RoleSchema::build(&model, ROLE, &[], true, true);
    change(&mut schema);
    let (limits, stop) = (Limits::default(), AtomicBool::new(false));
    let planner = Planner {
        model: &model,
        schema: &schema,
        remotes: &[],
        limits: &limits,
        bounds: None,
        introspection: true,
        stop: &stop,
    };
    compile(&planner, &Request::new(query)).map(|_| ())
}

fn input<'s>(schema: &'s mut RoleSchema, ty: &str, field: &str) -> &'s mut InputField {
    let id = schema.types.by_name[ty];
    let TypeKind::Input(fields) = &mut schema.types.list[id].kind else { panic!("{ty} is an input object") };
    &mut fields[field]
}

fn field<'s>(schema: &'s mut RoleSchema, ty: &str, name: &str) -> &'s mut Field {
    let id = schema.types.by_name[ty];
    let TypeKind::Object(fields, _) = &mut schema.types.list[id].kind else { panic!("{ty} is an object") };
    &mut fields[name]
}

fn refused(change: impl FnOnce(&mut RoleSchema), query: &str) {
    planned(|_| {}, query).unwrap_or_else(|error| panic!("{query}: {error}"));
    let error = planned(change, query).expect_err(query);
    assert_eq!(error.code, ErrorCode::Unexpected, "{query}: {error}");
}

#[test]
fn an_input_of_another_kind_is_an_error_wherever_it_stands() {
    let cases = [
        ("things_bool_exp", "id", "mutation { delete_things(where: {id: {_eq: 1}}) { affected_rows } }"),
        ("things_bool_exp", "_not", "mutation { delete_things(where: {_not: {id: {_eq: 1}}}) { affected_rows } }"),
        ("things_bool_exp", "id", "{ things(where: {_or: [{id: {_eq: 1}}]}) { id } }"),
        ("Int_comparison_exp", "_eq", "{ things(where: {id: {_eq: 1}}) { id } }"),
        ("things_order_by", "id", "{ things(order_by: {id: asc}) { id } }"),
        ("things_set_input", "name", "mutation { update_things(where: {}, _set: {name: \"a\"}) { affected_rows } }"),
        ("things_inc_input", "id", "mutation { update_things(where: {}, _inc: {id: 1}) { affected_rows } }"),
        (
            "things_pk_columns_input",
            "id",
            "mutation { update_things_by_pk(pk_columns: {id: 1}, _set: {name: \"a\"}) { id } }",
        ),
        ("things_insert_input", "name", "mutation { insert_things(objects: [{name: \"a\"}]) { affected_rows } }"),
        (
            "things_stream_cursor_value_input",
            "id",
            "subscription { things_stream(batch_size: 1, cursor: {initial_value: {id: 1}}) { id } }",
        ),
    ];
    for (ty, name, query) in cases {
        for kind in [InputKind::Argument(0), RowInput::ComputedAggregate(0, 0).into()] {
            refused(|schema| input(schema, ty, name).kind = kind, query);
        }
    }
}

#[test]
fn an_argument_that_nobody_reads_is_an_error() {
    let renamed = |schema: &mut RoleSchema, ty: &str, from: &str, to: &str| {
        let arguments = &mut field(schema, "query_root", ty).arguments;
        let argument = arguments[from].clone();
        arguments.insert(to.to_owned(), argument);
    };
    let query = "{ things(restriction: {id: {_eq: 1}}) { id } }";
    let error = planned(|schema| renamed(schema, "things", "where", "restriction"), query).unwrap_err();
    assert_eq!(error.code, ErrorCode::Unexpected, "{error}");
    let query = "{ things_aggregate(restriction: {id: {_eq: 1}}) { aggregate { count } } }";
    let error = planned(|schema| renamed(schema, "things_aggregate", "where", "restriction"), query).unwrap_err();
    assert_eq!(error.code, ErrorCode::Unexpected, "{error}");
}

#[test]
fn a_write_that_nothing_restricts_is_an_error() {
    let optional = |schema: &mut RoleSchema, root: &str| {
        let argument = &mut field(schema, "mutation_root", root).arguments["where"];
        argument.ty = TypeRef::nullable(argument.ty.base());
    };
    for (root, query) in [
        ("delete_things", "mutation { delete_things { affected_rows } }"),
        ("delete_things", "mutation { delete_things(where: null) { affected_rows } }"),
        ("update_things", "mutation { update_things(_set: {name: \"a\"}) { affected_rows } }"),
    ] {
        assert_eq!(planned(|_| {}, query).unwrap_err().code, ErrorCode::ValidationFailed, "{query}");
        let error = planned(|schema| optional(schema, root), query).unwrap_err();
        assert_eq!(error.code, ErrorCode::Unexpected, "{query}: {error}");
    }
}

#[test]
fn a_root_field_of_another_kind_is_an_error() {
    let write = || FieldKind::Root(WriteRoot::Delete(0).into());
    refused(|schema| field(schema, "query_root", "things").kind = write(), "{ things { id } }");
    refused(|schema| field(schema, "subscription_root", "things").kind = write(), "subscription { things { id } }");
    refused(|schema| field(schema, "query_root", "things").kind = FieldKind::Nodes, "{ things { id } }");
    let stream = || FieldKind::Root(RootField::Stream(0));
    refused(|schema| field(schema, "query_root", "things").kind = stream(), "{ things { id } }");
    let by_key = FieldKind::Root(ReadRoot::SelectByPk(0).into());
    let error = planned(|schema| field(schema, "query_root", "things").kind = by_key, "{ things { id } }").unwrap_err();
    assert_eq!(error.code, ErrorCode::ValidationFailed, "a key is asked for, not left out: {error}");
}

#[test]
fn a_field_of_another_kind_is_no_constant() {
    let query = "mutation { delete_things(where: {id: {_eq: 1}}) { affected_rows } }";
    refused(|schema| field(schema, "things_mutation_response", "affected_rows").kind = FieldKind::Count, query);
    let query = "{ things_aggregate { aggregate { count max { id } } } }";
    refused(|schema| field(schema, "things_aggregate_fields", "count").kind = FieldKind::Returning, query);
    refused(|schema| field(schema, "things_max_fields", "id").kind = FieldKind::Returning, query);
    refused(|schema| field(schema, "things_aggregate", "aggregate").kind = FieldKind::Count, query);
}
