//! What goes between the database and the writers: values in the wire's binary format, and the marks that writers leave
//! where a join's answer goes.

use smallvec::SmallVec;
use sqlx::postgres::{PgRow, PgValueFormat};
use sqlx::{Column, Row, ValueRef};

/// Bytes that are not what the protocol says they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Malformed;

impl std::fmt::Display for Malformed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a value of the database does not have its binary form")
    }
}

impl std::error::Error for Malformed {}

type Result<T, E = Malformed> = std::result::Result<T, E>;

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
    pub fn read_row(&mut self, row: &'a PgRow) -> Result<()> {
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
    pub fn read_record(&mut self, bytes: &'a [u8]) -> Result<()> {
        self.0.clear();
        let mut reader = Reader(bytes);
        for _ in 0..reader.count()? {
            let oid = reader.i32()? as u32;
            self.0.push((oid, reader.value()?));
        }
        Ok(())
    }

    /// Bytes of all values.
    pub fn length(&self) -> usize {
        self.0.iter().map(|(_, bytes)| bytes.map_or(0, <[u8]>::len)).sum()
    }

    /// A value's type and bytes.
    pub fn cell(&self, place: usize) -> Result<Cell<'a>> {
        self.0.get(place).copied().ok_or(Malformed)
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

/// What stands before and after a mark: no JSON text holds a zero byte and the database has none in its texts, so an
/// answer without joins is told by its plan and one with joins is searched for this byte alone.
pub const MARK: u8 = 0;

/// Writes a mark, a join's place and the left side's values as a JSON array; `left` writes the values, with commas between.
pub fn mark<E>(out: &mut Vec<u8>, place: usize, left: impl FnOnce(&mut Vec<u8>) -> Result<(), E>) -> Result<(), E> {
    out.push(MARK);
    out.extend_from_slice(itoa::Buffer::new().format(place).as_bytes());
    out.push(b'[');
    left(out)?;
    out.push(b']');
    out.push(MARK);
    Ok(())
}
