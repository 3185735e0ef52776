//! Writes rows of the wire's binary format as JSON, by the shape that planning made.

use sqlx::postgres::PgRow;

use super::value;
use super::wire::{Cells, Elements, Malformed, mark};
use crate::plan::{Answer, Shape};

type Result<T> = std::result::Result<T, Malformed>;

/// Most bytes that are set aside for the rows that follow the first.
const MOST_SET_ASIDE: usize = 1024 * 1024;

/// Bytes after which a list's writer lets others have their turn: about a millisecond's work.
const PART: usize = 64 * 1024;
/// Bytes from which on a row is written aside.
const GIANT: usize = 256 * 1024;

fn has_other_threads() -> bool {
    use tokio::runtime::{Handle, RuntimeFlavor};
    Handle::try_current().is_ok_and(|runtime| matches!(runtime.runtime_flavor(), RuntimeFlavor::MultiThread))
}

/// Writes values as JSON.
#[derive(Debug, Clone, Copy)]
pub struct Writer {
    /// Whether large numbers are strings.
    pub stringify: bool,
}

impl Writer {
    /// Writes the answer of a statement's rows.
    pub fn answer(&self, out: &mut Vec<u8>, answer: &Answer, rows: &[PgRow]) -> Result<()> {
        let mut next = 0;
        loop {
            next = self.part(out, answer, rows, next)?;
            if next >= rows.len() {
                return Ok(());
            }
        }
    }

    /// The same; between its parts others have their turn on the thread.
    pub async fn answer_in_turns(&self, out: &mut Vec<u8>, answer: &Answer, rows: &[PgRow]) -> Result<()> {
        let mut next = 0;
        loop {
            next = self.part(out, answer, rows, next)?;
            if next >= rows.len() {
                return Ok(());
            }
            tokio::task::yield_now().await;
        }
    }

    /// Writes from one of the rows on as many as make a part, and says with which one the next part begins.
    fn part(&self, out: &mut Vec<u8>, answer: &Answer, rows: &[PgRow], from: usize) -> Result<usize> {
        let shape = match answer {
            Answer::List(shape) => shape,
            Answer::First(shape) => {
                match rows.first() {
                    Some(row) => self.row(out, shape, &Cells::of_row(row)?)?,
                    None => null(out)?,
                }
                return Ok(rows.len());
            }
        };
        if from == 0 {
            out.push(b'[');
        }
        let start = out.len();
        let mut cells = Cells::default();
        let mut next = from;
        while let Some(row) = rows.get(next)
            && out.len() - start < PART
        {
            if next > 0 {
                out.push(b',');
            }
            cells.read_row(row)?;
            self.row(out, shape, &cells)?;
            if next == 0 {
                // The others will be about as long, unless the first is a giant.
                out.reserve((out.len() - start + 1).saturating_mul(rows.len()).min(MOST_SET_ASIDE));
            }
            next += 1;
        }
        if next == rows.len() {
            out.push(b']');
        }
        Ok(next)
    }

    /// Writes a row. What a giant takes is not taken from those who wait for this thread.
    fn row(&self, out: &mut Vec<u8>, shape: &Shape, cells: &Cells<'_>) -> Result<()> {
        if cells.length() < GIANT || !has_other_threads() {
            return self.shape(out, shape, cells);
        }
        tokio::task::block_in_place(|| self.shape(out, shape, cells))
    }

    /// Writes the answer of records.
    pub fn records(&self, out: &mut Vec<u8>, answer: &Answer, records: &[&[u8]]) -> Result<()> {
        match answer {
            Answer::First(shape) => match records.first() {
                Some(record) => self.shape(out, shape, &Cells::of_record(record)?),
                None => null(out),
            },
            Answer::List(shape) => self.list(out, shape, records.iter().map(|record| Ok(*record))),
        }
    }

    fn list<'a>(
        &self,
        out: &mut Vec<u8>,
        shape: &Shape,
        records: impl Iterator<Item = Result<&'a [u8]>>,
    ) -> Result<()> {
        out.push(b'[');
        let mut cells = Cells::default();
        for (index, record) in records.enumerate() {
            if index > 0 {
                out.push(b',');
            }
            cells.read_record(record?)?;
            self.shape(out, shape, &cells)?;
        }
        out.push(b']');
        Ok(())
    }

    /// Writes one value.
    pub fn shape(&self, out: &mut Vec<u8>, shape: &Shape, cells: &Cells<'_>) -> Result<()> {
        match shape {
            Shape::Value(place) | Shape::Plain(place) => {
                let (oid, bytes) = cells.cell(*place)?;
                match bytes {
                    Some(bytes) => value::write(out, oid, bytes, self.stringify && matches!(shape, Shape::Value(_))),
                    None => null(out),
                }
            }
            Shape::Json(place) => {
                out.extend_from_slice(cells.bytes(*place).unwrap_or(b"null"));
                Ok(())
            }
            Shape::Constant(text) => {
                out.extend_from_slice(text.as_bytes());
                Ok(())
            }
            Shape::Join(place, left) => mark(out, *place, |out| {
                for (index, value) in left.iter().enumerate() {
                    if index > 0 {
                        out.push(b',');
                    }
                    self.shape(out, value, cells)?;
                }
                Ok(())
            }),
            Shape::Object(present, fields) => {
                if present.is_some_and(|place| cells.bytes(place) != Some(&[1])) {
                    return null(out);
                }
                out.push(b'{');
                for (index, (key, field)) in fields.iter().enumerate() {
                    if index > 0 {
                        out.push(b',');
                    }
                    out.extend_from_slice(key.as_bytes());
                    self.shape(out, field, cells)?;
                }
                out.push(b'}');
                Ok(())
            }
            Shape::Rows(place, item) => match cells.bytes(*place) {
                Some(bytes) => self.list(out, item, Elements::of(bytes)?),
                None => {
                    out.extend_from_slice(b"[]");
                    Ok(())
                }
            },
            Shape::Record(place, item) => match cells.bytes(*place) {
                Some(bytes) => self.shape(out, item, &Cells::of_record(bytes)?),
                None => null(out),
            },
            Shape::First(place, item) => {
                let first = cells.bytes(*place).map(Elements::of).transpose()?.and_then(|mut records| records.next());
                match first.transpose()? {
                    Some(record) => self.shape(out, item, &Cells::of_record(record)?),
                    None => null(out),
                }
            }
        }
    }
}

fn null(out: &mut Vec<u8>) -> Result<()> {
    out.extend_from_slice(b"null");
    Ok(())
}
