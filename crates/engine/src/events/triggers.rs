//! The SQL triggers that capture changes: made, replaced and removed so that they equal the metadata.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::{AssertSqlSafe, PgPool, Row};

use crate::metadata::{Columns, EventTrigger, QualifiedName, Source, TriggerOperation};
use crate::retry;

/// Makes the triggers of a source equal to its metadata; what is right already is not touched.
///
/// # Errors
/// What the database said, such as a column that does not exist.
pub async fn install(pool: &PgPool, source: &Source) -> sqlx::Result<()> {
    retry::shared(async || install_once(pool, source).await).await
}

async fn install_once(pool: &PgPool, source: &Source) -> sqlx::Result<()> {
    let mut tx = pool.begin().await?;
    let present: BTreeMap<String, String> =
        sqlx::query("select proname::text, prosrc from pg_proc where pronamespace = 'hdb_catalog'::regnamespace and proname like 'notify\\_hasura\\_%'")
            .fetch_all(&mut *tx)
            .await?
            .iter()
            .map(|row| Ok((row.try_get(0)?, row.try_get(1)?)))
            .collect::<sqlx::Result<_>>()?;
    let attached: BTreeSet<(String, String, String)> = sqlx::query(
        "select t.tgname::text, n.nspname::text, c.relname::text from pg_trigger t join pg_class c on c.oid = t.tgrelid \
         join pg_namespace n on n.oid = c.relnamespace where not t.tgisinternal and t.tgname like 'notify\\_hasura\\_%'",
    )
    .fetch_all(&mut *tx)
    .await?
    .iter()
    .map(|row| Ok((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?)))
    .collect::<sqlx::Result<_>>()?;

    let mut wanted = BTreeSet::new();
    for table in source.tables.iter().filter(|table| !table.event_triggers.is_empty()) {
        let shape = Shape::read(&mut tx, &table.table).await?;
        for trigger in &table.event_triggers {
            for (operation, columns) in operations(trigger) {
                let name = format!("notify_hasura_{}_{operation}", trigger.name);
                let body = body(&trigger.name, operation, columns, &shape);
                let (function, relation) = (quote(&name), relation(&table.table));
                if present.get(&name).map(String::as_str) != Some(body.as_str()) {
                    let sql = format!(
                        "create or replace function hdb_catalog.{function}() returns trigger language plpgsql as {}",
                        dollar_quote(&body)
                    );
                    sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *tx).await?;
                }
                let key = (name.clone(), table.table.schema.clone(), table.table.name.clone());
                if !attached.contains(&key) {
                    let sql = format!(
                        "create trigger {function} after {operation} on {relation} \
                         for each row execute function hdb_catalog.{function}()"
                    );
                    sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *tx).await?;
                }
                wanted.insert(key);
            }
        }
    }
    for (name, schema, table) in attached.difference(&wanted) {
        let relation = relation(&QualifiedName::new(schema, table));
        let sql = format!("drop trigger if exists {} on {relation}", quote(name));
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *tx).await?;
    }
    let names: BTreeSet<&String> = wanted.iter().map(|(name, ..)| name).collect();
    for name in present.keys().filter(|name| !names.contains(name)) {
        let sql = format!("drop function if exists hdb_catalog.{}() cascade", quote(name));
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *tx).await?;
    }
    tx.commit().await
}

/// What is known of a table's columns.
struct Shape {
    key: Vec<String>,
    /// Columns whose type has no equality; they are compared as text.
    incomparable: BTreeSet<String>,
}

impl Shape {
    async fn read(connection: &mut sqlx::PgConnection, table: &QualifiedName) -> sqlx::Result<Self> {
        let rows = sqlx::query(
            "select a.attname::text, coalesce(k.position, 0)::int, \
             ltrim(t.typname, '_') in ('json', 'xml', 'point', 'polygon', 'path', 'line', 'box', 'circle', 'lseg') \
             from pg_class c join pg_namespace n on n.oid = c.relnamespace \
             join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped \
             join pg_type t on t.oid = a.atttypid \
             left join lateral (select u.position from pg_index i, unnest(i.indkey) with ordinality u(attnum, position) \
               where i.indrelid = c.oid and i.indisprimary and u.attnum = a.attnum) k on true \
             where n.nspname = $1 and c.relname = $2 order by 2, a.attnum",
        )
        .bind(&table.schema)
        .bind(&table.name)
        .fetch_all(connection)
        .await?;
        let mut shape = Self { key: Vec::new(), incomparable: BTreeSet::new() };
        for row in rows {
            let name: String = row.try_get(0)?;
            if row.try_get::<i32, _>(1)? > 0 {
                shape.key.push(name.clone());
            }
            if row.try_get(2)? {
                shape.incomparable.insert(name);
            }
        }
        Ok(shape)
    }
}

fn operations(trigger: &EventTrigger) -> impl Iterator<Item = (&'static str, &TriggerOperation)> {
    let definition = &trigger.definition;
    [("INSERT", &definition.insert), ("UPDATE", &definition.update), ("DELETE", &definition.delete)]
        .into_iter()
        .filter_map(|(name, operation)| operation.as_ref().map(|operation| (name, operation)))
}

fn body(trigger: &str, operation: &str, columns: &TriggerOperation, shape: &Shape) -> String {
    let sent = columns.payload.as_ref().unwrap_or(&Columns::All);
    let (old, new) = match operation {
        "INSERT" => ("null".to_owned(), row_json("NEW", sent)),
        "DELETE" => (row_json("OLD", sent), "null".to_owned()),
        _ => (row_json("OLD", sent), row_json("NEW", sent)),
    };
    let condition = if operation == "UPDATE" { changed(&columns.columns, shape) } else { None };
    let record = if operation == "DELETE" { "OLD" } else { "NEW" };
    let key = if shape.key.is_empty() {
        "null".to_owned()
    } else {
        let parts: Vec<_> = shape.key.iter().map(|column| format!("{record}.{}", quote(column))).collect();
        format!("jsonb_build_array({})::text", parts.join(", "))
    };
    let capture = format!(
        "perform hdb_catalog.insert_event_log(TG_TABLE_SCHEMA::text, TG_TABLE_NAME::text, {}::text, TG_OP, \
         json_build_object('old', {old}, 'new', {new}), {key});",
        literal(trigger)
    );
    match condition {
        Some(condition) => format!("\nbegin\n  if {condition} then\n    {capture}\n  end if;\n  return null;\nend;\n"),
        None => format!("\nbegin\n  {capture}\n  return null;\nend;\n"),
    }
}

fn row_json(record: &str, columns: &Columns) -> String {
    match columns {
        Columns::All => format!("row_to_json({record})"),
        Columns::List(columns) => {
            let listed: Vec<_> = columns.iter().map(|column| format!("{record}.{0} as {0}", quote(column))).collect();
            format!("(select row_to_json(e) from (select {}) e)", listed.join(", "))
        }
    }
}

fn changed(columns: &Columns, shape: &Shape) -> Option<String> {
    match columns {
        Columns::All => Some("OLD *<> NEW".to_owned()),
        Columns::List(columns) if columns.is_empty() => Some("false".to_owned()),
        Columns::List(columns) => Some(
            columns
                .iter()
                .map(|column| {
                    let cast = if shape.incomparable.contains(column) { "::text" } else { "" };
                    format!("OLD.{0}{cast} is distinct from NEW.{0}{cast}", quote(column))
                })
                .collect::<Vec<_>>()
                .join(" or "),
        ),
    }
}

fn relation(table: &QualifiedName) -> String {
    format!("{}.{}", quote(&table.schema), quote(&table.name))
}

/// An SQL identifier in double quotes.
pub(crate) fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// An SQL string literal.
fn literal(text: &str) -> String {
    if text.contains('\\') {
        return format!("E'{}'", text.replace('\\', "\\\\").replace('\'', "''"));
    }
    format!("'{}'", text.replace('\'', "''"))
}

fn dollar_quote(body: &str) -> String {
    let mut tag = "northstack".to_owned();
    while body.contains(&format!("${tag}$")) {
        tag.push('_');
    }
    format!("${tag}${body}${tag}$")
}
