//! Writes rows of the wire's binary format as JSON, by the shape that planning made.

use smallvec::SmallVec;
use sqlx::postgres::{PgRow, PgValueFormat};
use sqlx::{Column, Row, ValueRef};

use super::value;
use crate::plan::{Answer, Shape};

/// Bytes that are not what the protocol says they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Malformed;

impl std::fmt::Display for Malformed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a value of the database does not have its binary form")
    }
}

impl std::error::Error for Malformed {}

type Result<T> = std::result::Result<T, Malformed>;

/// A value's type, and its bytes unless it is null.
type Cell<'a> = (u32, Option<&'a [u8]>);

/// The values of a row or record.
#[derive(Default)]
pub struct Cells<'a>(SmallVec<[Cell<'a>; 16]>);

impl<'a> Cells<'a> {
    /// The values of a row.
    pub fn of_row(row: &'a PgRow) -> Result<Self> {
        let mut cells = Self::default();
        cells.read_row(row)?;
        Ok(cells)
    }

    /// The values of a record.
    pub fn of_record(bytes: &'a [u8]) -> Result<Self> {
        let mut cells = Self::default();
        cells.read_record(bytes)?;
        Ok(cells)
    }

    /// Takes another row of the same statement: its types are those of the row before.
    fn read_row(&mut self, row: &'a PgRow) -> Result<()> {
        if self.0.len() != row.len() {
            self.0.clear();
            self.0.extend(row.columns().iter().map(|column| (column.type_info().oid().map_or(0, |oid| oid.0), None)));
        }
        for (index, (_, bytes)) in self.0.iter_mut().enumerate() {
            let raw = row.try_get_raw(index).map_err(|_| Malformed)?;
            *bytes = match (raw.is_null(), raw.format()) {
                (true, _) => None,
                (false, PgValueFormat::Binary) => Some(raw.as_bytes().map_err(|_| Malformed)?),
                (false, PgValueFormat::Text) => return Err(Malformed),
            };
        }
        Ok(())
    }

    /// Takes another record.
    fn read_record(&mut self, bytes: &'a [u8]) -> Result<()> {
        self.0.clear();
        let mut reader = Reader(bytes);
        for _ in 0..reader.count()? {
            let oid = reader.i32()? as u32;
            self.0.push((oid, reader.value()?));
        }
        Ok(())
    }

    /// Bytes of all values.
    fn length(&self) -> usize {
        self.0.iter().map(|(_, bytes)| bytes.map_or(0, <[u8]>::len)).sum()
    }

    /// The bytes of a value.
    pub fn bytes(&self, place: usize) -> Option<&'a [u8]> {
        self.0.get(place).and_then(|(_, bytes)| *bytes)
    }

    /// The last value as text.
    pub fn last_text(&self) -> Option<String> {
        let bytes = self.0.last()?.1?;
        std::str::from_utf8(bytes).ok().map(str::to_owned)
    }

    /// A value as text.
    pub fn text(&self, place: usize) -> Option<String> {
        self.bytes(place).and_then(|bytes| std::str::from_utf8(bytes).ok()).map(str::to_owned)
    }
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8]> {
        let (head, tail) = self.0.split_at_checked(length).ok_or(Malformed)?;
        self.0 = tail;
        Ok(head)
    }

    fn i32(&mut self) -> Result<i32> {
        Ok(i32::from_be_bytes(self.take(4)?.try_into().map_err(|_| Malformed)?))
    }

    fn count(&mut self) -> Result<usize> {
        usize::try_from(self.i32()?).map_err(|_| Malformed)
    }

    fn value(&mut self) -> Result<Option<&'a [u8]>> {
        match self.i32()? {
            -1 => Ok(None),
            length => self.take(usize::try_from(length).map_err(|_| Malformed)?).map(Some),
        }
    }
}

/// The elements of a one-dimensional array.
pub struct Elements<'a> {
    reader: Reader<'a>,
    left: usize,
}

impl<'a> Elements<'a> {
    /// The elements of an array.
    pub fn of(bytes: &'a [u8]) -> Result<Self> {
        let mut reader = Reader(bytes);
        let dimensions = reader.i32()?;
        reader.take(8)?;
        if dimensions == 0 {
            return Ok(Self { reader, left: 0 });
        }
        let left = reader.count()?;
        reader.take(4)?;
        Ok(Self { reader, left })
    }
}

impl<'a> Iterator for Elements<'a> {
    type Item = Result<&'a [u8]>;

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        Some(self.reader.value().and_then(|value| value.ok_or(Malformed)))
    }
}

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
                let (oid, bytes) = *cells.0.get(*place).ok_or(Malformed)?;
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
            Shape::Join(place, left) => super::join::mark(out, *place, |out| {
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
