//! Mutations: statements that write, the check of each row, and what is answered.

use sqlx::PgConnection;
use sqlx::postgres::PgRow;

use super::wire::Cells;
use super::write::Writer;
use super::{errors, fetch, texts};
use crate::error::{ErrorCode, GraphqlError, Result};
use crate::outbound::caller::RequestContext;
use crate::plan::{Answer, Binder, InsertOne, Inserts, MutationPlan, Part, Response, Returning, Root, Write, Writes};
use crate::schema::model::array::array_literal;

/// What was written so far.
#[derive(Default)]
struct Changed {
    /// Rows as the statements returned them.
    rows: Vec<PgRow>,
    /// Rows of the field's own table as text, for statements that read them again.
    texts: Vec<Option<String>>,
    /// Rows of all tables.
    affected: usize,
}

/// Runs a root field that writes, inside a transaction, and writes its answer.
pub async fn run(
    connection: &mut PgConnection,
    writer: Writer,
    plan: &MutationPlan,
    root: &Root,
    context: &RequestContext,
    out: &mut Vec<u8>,
) -> Result<()> {
    let variables = &root.variables;
    let binder = Binder::new(&context.session, variables);
    match &plan.writes {
        // As Hasura answers an update that sets nothing.
        Writes::Nothing if matches!(plan.response, Response::One(_)) => {
            out.extend_from_slice(b"{}");
            Ok(())
        }
        Writes::Nothing => answer(connection, writer, plan, Changed::default(), &binder, out).await,
        Writes::One(write) => {
            let changed = self::write(connection, write, &plan.path, &binder).await?;
            answer(connection, writer, plan, changed, &binder, out).await
        }
        Writes::Many(writes) => {
            out.push(b'[');
            for (index, write) in writes.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                let changed = match write {
                    Some(write) => self::write(connection, write, &plan.path, &binder).await?,
                    None => Changed::default(),
                };
                answer(connection, writer, plan, changed, &binder, out).await?;
            }
            out.push(b']');
            Ok(())
        }
        Writes::Nested(inserts) => {
            let mut all = Changed::default();
            for insert in inserts {
                let (_, text) = nested(connection, insert, &[], &binder, &mut all.affected).await?;
                all.texts.extend(text.map(Some));
            }
            answer(connection, writer, plan, all, &binder, out).await
        }
    }
}

/// Runs a statement that writes, and holds each row against the permission's check.
async fn write(connection: &mut PgConnection, write: &Write, path: &str, binder: &Binder<'_>) -> Result<Changed> {
    let values = binder.bind(&write.params)?;
    let rows = fetch(connection, &write.sql, texts(&write.params, &values), path).await?;
    let mut texts = Vec::with_capacity(rows.len());
    for row in &rows {
        let cells = Cells::of_row(row).map_err(errors::malformed)?;
        check(&cells, path)?;
        texts.push(cells.text(1));
    }
    Ok(Changed { affected: rows.len(), rows, texts })
}

/// A check that is null holds no more than one that is false.
fn check(cells: &Cells<'_>, path: &str) -> Result<()> {
    match cells.bytes(0) {
        Some([1]) => Ok(()),
        _ => {
            let message = "check constraint of an insert/update permission has failed";
            Err(GraphqlError::at(path, ErrorCode::PermissionError, message))
        }
    }
}

/// Inserts a row with those before and after it; gives its key columns and the row itself, unless a conflict left it
/// out.
async fn nested(
    connection: &mut PgConnection,
    insert: &InsertOne,
    given: &[Option<String>],
    binder: &Binder<'_>,
    affected: &mut usize,
) -> Result<(Vec<Option<String>>, Option<String>)> {
    let mut keys = given.to_vec();
    for before in &insert.before {
        let (values, text) = Box::pin(nested(connection, &before.insert, &[], binder, affected)).await?;
        if text.is_none() {
            return Err(before.left_out.clone());
        }
        take_keys(&mut keys, &before.keys, &values)?;
    }
    let own = Binder { keys: &keys, ..Binder::new(binder.session, binder.variables) };
    let values = own.bind(&insert.params)?;
    let rows = fetch(&mut *connection, &insert.sql, texts(&insert.params, &values), &insert.path).await?;
    *affected += rows.len();
    let Some(row) = rows.first() else {
        return match insert.after.is_empty() {
            true => Ok((Vec::new(), None)),
            false => Err(insert.left_out.clone()),
        };
    };
    let (text, columns) = {
        let cells = Cells::of_row(row).map_err(errors::malformed)?;
        check(&cells, &insert.path)?;
        let columns: Vec<Option<String>> = (2..sqlx::Row::len(row)).map(|place| cells.text(place)).collect();
        (cells.text(1), columns)
    };
    for after in &insert.after {
        let mut given = Vec::new();
        take_keys(&mut given, &after.keys, &columns)?;
        match &after.inserts {
            Inserts::Together(write, path) => {
                let own = Binder { keys: &given, ..Binder::new(binder.session, binder.variables) };
                *affected += self::write(connection, write, path, &own).await?.affected;
            }
            Inserts::Each(inserts) => {
                for insert in inserts {
                    Box::pin(nested(connection, insert, &given, binder, affected)).await?;
                }
            }
        }
    }
    Ok((columns, text))
}

/// Takes the values of a row by their places. One that the row does not have is no null: the row of another table might
/// be written without it.
fn take_keys(keys: &mut Vec<Option<String>>, map: &[(usize, usize)], values: &[Option<String>]) -> Result<()> {
    for &(from, to) in map {
        if keys.len() <= to {
            keys.resize(to + 1, None);
        }
        let value = values.get(from).ok_or_else(|| GraphqlError::unexpected("a row without the keys of another"))?;
        if let Some(slot) = keys.get_mut(to) {
            slot.clone_from(value);
        }
    }
    Ok(())
}

async fn answer(
    connection: &mut PgConnection,
    writer: Writer,
    plan: &MutationPlan,
    changed: Changed,
    binder: &Binder<'_>,
    out: &mut Vec<u8>,
) -> Result<()> {
    match &plan.response {
        Response::One(returning) => {
            let list = rows(connection, writer, returning, &changed, binder, true).await?;
            out.extend_from_slice(&list);
        }
        Response::Object(parts) => {
            out.push(b'{');
            for (index, (key, part)) in parts.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                out.extend_from_slice(key.as_bytes());
                match part {
                    Part::AffectedRows => out.extend_from_slice(changed.affected.to_string().as_bytes()),
                    Part::Constant(text) => out.extend_from_slice(text.as_bytes()),
                    Part::Returning(returning) => {
                        let list = rows(connection, writer, returning, &changed, binder, false).await?;
                        out.extend_from_slice(&list);
                    }
                }
            }
            out.push(b'}');
        }
    }
    Ok(())
}

/// The changed rows as a list, or the first of them.
async fn rows(
    connection: &mut PgConnection,
    writer: Writer,
    returning: &Returning,
    changed: &Changed,
    binder: &Binder<'_>,
    one: bool,
) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    match returning {
        Returning::Direct(shape) => {
            let answer = if one { Answer::First(shape.clone()) } else { Answer::List(shape.clone()) };
            writer.answer(&mut out, &answer, &changed.rows).map_err(errors::malformed)?;
        }
        Returning::Again(query) => {
            let literal = array_literal(changed.texts.iter().cloned());
            let binder = Binder { rows: Some(&literal), ..Binder::new(binder.session, binder.variables) };
            let values = binder.bind(&query.params)?;
            let rows = fetch(connection, &query.sql, texts(&query.params, &values), "$").await?;
            let answer = match (&query.answer, one) {
                (Answer::List(shape), true) => Answer::First(shape.clone()),
                (answer, _) => answer.clone(),
            };
            writer.answer(&mut out, &answer, &rows).map_err(errors::malformed)?;
        }
    }
    Ok(out)
}
