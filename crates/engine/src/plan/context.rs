//! What planning carries along, and how boolean expressions become SQL.

use std::collections::{BTreeSet, HashMap};

use super::collect::Collector;
use super::document::Variables;
use crate::metadata::QualifiedName;
use crate::schema::model::boolexp::{AggregatePredicate, Binary, BoolExp, Comparison, Operand, Source, Within};
use crate::schema::model::scalar::ScalarType;
use crate::schema::model::{ArgumentInfo, ArgumentRole, ComputedInfo, Model, SelectRule, TableId, TableInfo};
use crate::schema::{RoleSchema, permission};
use crate::sql::{Alias, Expr, From, Origin, Parameters, Select};

/// The bound values of a statement by place, equal ones once.
#[derive(Default)]
pub struct Params {
    sources: Vec<Source>,
    places: HashMap<Source, usize>,
}

impl Params {
    fn place(&mut self, source: Source) -> usize {
        *self.places.entry(source).or_insert_with_key(|source| {
            self.sources.push(source.clone());
            self.sources.len() - 1
        })
    }

    /// How the statement refers to them.
    pub fn print(&self) -> Parameters {
        Parameters::of(self.sources.len())
    }

    /// The values; none are left.
    pub fn take(&mut self) -> Vec<Source> {
        std::mem::take(self).sources
    }
}

/// Arguments of a call; those that need their names have them.
pub type Arguments = Vec<(Option<String>, Expr)>;

/// What planning one statement carries along.
pub struct Context<'a> {
    /// Metadata resolved against the catalogue.
    pub model: &'a Model,
    /// The role's schema.
    pub schema: &'a RoleSchema,
    /// Collects fields.
    pub collector: &'a Collector<'a>,
    /// Values of variables.
    pub variables: &'a Variables<'a>,
    /// Bound values by place.
    pub params: Params,
    /// Tables that the statement reads.
    pub tables: BTreeSet<TableId>,
    /// Whether it calls functions, which may read other tables.
    pub calls_functions: bool,
    aliases: usize,
    /// Values that only some rows show, by table, column and the table's name in the statement.
    cells: HashMap<(TableId, usize, Alias), Expr>,
}

impl<'a> Context<'a> {
    /// A context for one statement.
    pub fn new(model: &'a Model, collector: &'a Collector<'a>) -> Self {
        Self {
            model,
            schema: collector.schema,
            collector,
            variables: &collector.operation.variables,
            params: Params::default(),
            tables: BTreeSet::new(),
            calls_functions: false,
            aliases: 0,
            cells: HashMap::new(),
        }
    }

    /// A table's resolved metadata.
    pub fn table(&self, table: TableId) -> &'a TableInfo {
        &self.model.tables[table]
    }

    /// What the role sees of a table. The schema shows only tables that it sees.
    pub fn rule(&self, table: TableId) -> &'a SelectRule {
        static NOTHING: std::sync::LazyLock<SelectRule> = std::sync::LazyLock::new(|| SelectRule {
            columns: Vec::new(),
            guards: Vec::new(),
            computed_guards: Vec::new(),
            computed: Vec::new(),
            filter: BoolExp::Or(Vec::new()),
            limit: Some(0),
            aggregations: false,
            query_roots: None,
            subscription_roots: None,
        });
        let permissions = self.table(table).permissions.get(&self.schema.role);
        permissions.and_then(|permissions| permissions.select.as_deref()).unwrap_or(&NOTHING)
    }

    /// A new name for a table.
    pub fn alias(&mut self) -> Alias {
        self.aliases += 1;
        Alias(self.aliases - 1)
    }

    /// A bound value, cast to a type. Equal values are bound once.
    pub fn bind(&mut self, source: Source, ty: &ScalarType) -> Expr {
        let list = source.is_list();
        let place = self.params.place(source);
        if ty.is_spatial() {
            let geometry = Expr::Call("ST_GeomFromGeoJSON", vec![Expr::Param(place, "text".to_owned())]);
            return Expr::Cast(Box::new(geometry), ty.sql.clone());
        }
        match list {
            // An array of texts is read once. The text of an array would be for each row that it is compared with.
            true => Expr::Param(place, format!("text[]::{}", ty.sql)),
            false => Expr::Param(place, ty.sql.clone()),
        }
    }

    /// A table to read, noted as one that the statement depends on.
    pub fn read(&mut self, table: TableId) -> Origin {
        self.tables.insert(table);
        Origin::Table(self.table(table).name.clone())
    }

    /// A column of a table under an alias.
    pub fn column(&self, table: TableId, column: usize, alias: Alias) -> Expr {
        Expr::Column(alias, self.table(table).columns[column].name.clone())
    }

    /// A column as the role sees it: null where an inherited role sees the row but not this value. The same expression
    /// for the same column, as `DISTINCT ON` and `ORDER BY` want it.
    pub fn shown(&mut self, table: TableId, column: usize, alias: Alias) -> Expr {
        let plain = self.column(table, column, alias);
        let Some(Some(guard)) = self.rule(table).guards.get(column) else { return plain };
        if let Some(known) = self.cells.get(&(table, column, alias)) {
            return known.clone();
        }
        let condition = self.condition(guard, table, alias, alias);
        let shown = Expr::Case(vec![(condition, plain)], None);
        self.cells.insert((table, column, alias), shown.clone());
        shown
    }

    /// A scalar computed field without arguments as the role sees it.
    pub fn shown_computed(&mut self, table: TableId, field: usize, alias: Alias) -> Expr {
        let call = self.computed(table, field, &[], Expr::Whole(alias));
        let Some(Some(guard)) = self.rule(table).computed_guards.get(field) else { return call };
        let condition = self.condition(guard, table, alias, alias);
        Expr::Case(vec![(condition, call)], None)
    }

    /// The condition that joins a relationship's rows.
    pub fn mapping(&self, table: TableId, relationship: usize, here: Alias, there: Alias) -> Vec<Expr> {
        let info = &self.table(table).relationships[relationship];
        info.mapping
            .iter()
            .map(|&(local, remote)| self.column(info.table, remote, there).binary("=", self.column(table, local, here)))
            .collect()
    }

    /// A boolean expression over the row under an alias. `root` is the row at which the whole expression began.
    pub fn condition(&mut self, exp: &BoolExp, table: TableId, alias: Alias, root: Alias) -> Expr {
        match exp {
            BoolExp::And(parts) => Expr::And(parts.iter().map(|p| self.condition(p, table, alias, root)).collect()),
            BoolExp::Or(parts) => Expr::Or(parts.iter().map(|p| self.condition(p, table, alias, root)).collect()),
            BoolExp::Not(inner) => Expr::Not(Box::new(self.condition(inner, table, alias, root))),
            BoolExp::Column(column, comparison) => {
                let left = self.column(table, *column, alias);
                self.comparison(left, comparison, table, alias, root)
            }
            BoolExp::Cell(column, comparison) => {
                let left = self.shown(table, *column, alias);
                self.comparison(left, comparison, table, alias, root)
            }
            BoolExp::ComputedCell(field, comparison) => {
                let left = self.shown_computed(table, *field, alias);
                self.comparison(left, comparison, table, alias, root)
            }
            BoolExp::Computed(field, comparison) => {
                let left = self.computed(table, *field, &[], Expr::Whole(alias));
                self.comparison(left, comparison, table, alias, root)
            }
            BoolExp::Relationship(relationship, inner) => {
                let other = self.table(table).relationships[*relationship].table;
                let there = self.alias();
                let mut parts = self.mapping(table, *relationship, alias, there);
                parts.push(self.condition(inner, other, there, root));
                let origin = self.read(other);
                Expr::Exists(Box::new(Select {
                    from: Some(From { origin, alias: there }),
                    filter: Expr::all(parts),
                    ..Select::default()
                }))
            }
            BoolExp::ComputedRows(field, other, inner) => {
                let (name, call) = self.computed_call(table, *field, &[], Expr::Whole(alias));
                let there = self.alias();
                let filter = self.condition(inner, *other, there, root);
                Expr::Exists(Box::new(Select {
                    from: Some(From { origin: Origin::Function(name, call), alias: there }),
                    filter: Expr::all([filter]),
                    ..Select::default()
                }))
            }
            BoolExp::Permission(inner) => self.condition(inner, table, alias, alias),
            BoolExp::Exists(other, inner) => {
                let there = self.alias();
                // What the root is does not change: `$` is the row that the whole permission is about.
                let filter = self.condition(inner, *other, there, root);
                let origin = self.read(*other);
                Expr::Exists(Box::new(Select {
                    from: Some(From { origin, alias: there }),
                    filter: Expr::all([filter]),
                    ..Select::default()
                }))
            }
            BoolExp::Aggregate(relationship, predicate) => {
                self.aggregate_predicate(*relationship, predicate, table, alias, root)
            }
        }
    }

    fn aggregate_predicate(
        &mut self,
        relationship: usize,
        predicate: &AggregatePredicate,
        table: TableId,
        alias: Alias,
        root: Alias,
    ) -> Expr {
        let other = self.table(table).relationships[relationship].table;
        let there = self.alias();
        let mut parts = self.mapping(table, relationship, alias, there);
        parts.push(self.condition(&predicate.filter, other, there, root));
        let arguments: Vec<Expr> = predicate.arguments.iter().map(|&column| self.shown(other, column, there)).collect();
        let arguments = match (predicate.function, arguments.len()) {
            ("count", 2..) => vec![Expr::Row(arguments)],
            _ => arguments,
        };
        let distinct = predicate.distinct && !arguments.is_empty();
        let aggregate = Expr::Aggregate(predicate.function, distinct, arguments, None);
        let comparisons = predicate.predicate.iter().map(|c| self.comparison(aggregate.clone(), c, other, there, root));
        let outputs = vec![(Expr::And(comparisons.collect()), None)];
        let origin = self.read(other);
        Expr::Scalar(Box::new(Select {
            outputs,
            from: Some(From { origin, alias: there }),
            filter: Expr::all(parts),
            ..Select::default()
        }))
    }

    /// A call of a computed field's function as a value.
    pub fn computed(&mut self, table: TableId, field: usize, given: &[(usize, Source)], row: Expr) -> Expr {
        let (function, arguments) = self.computed_call(table, field, given, row);
        Expr::Function(function, arguments)
    }

    /// A call of a computed field's function: its name and arguments.
    pub fn computed_call(
        &mut self,
        table: TableId,
        field: usize,
        given: &[(usize, Source)],
        row: Expr,
    ) -> (QualifiedName, Arguments) {
        let info: &ComputedInfo = &self.table(table).computed[field];
        (info.function.clone(), self.call(&info.arguments, given, Some(row)))
    }

    /// The arguments of a call: the row, the session, and what clients gave. Those with a default may be missing.
    pub fn call(&mut self, arguments: &[ArgumentInfo], given: &[(usize, Source)], row: Option<Expr>) -> Arguments {
        self.calls_functions = true;
        let mut call = Vec::with_capacity(arguments.len());
        // Once an argument is missing those after it need their names.
        let mut named = false;
        for (place, argument) in arguments.iter().enumerate() {
            let value = match argument.role {
                ArgumentRole::Row => row.clone(),
                ArgumentRole::Session => Some(self.bind(Source::SessionJson, &argument.ty)),
                ArgumentRole::Client => {
                    let source = given.iter().find(|(at, _)| *at == place).map(|(_, source)| source.clone());
                    source.map(|source| self.bind(source, &argument.ty))
                }
            };
            match value {
                Some(value) => call.push((argument.name.clone().filter(|_| named), value)),
                None => named = true,
            }
        }
        call
    }

    fn comparison(&mut self, left: Expr, comparison: &Comparison, table: TableId, alias: Alias, root: Alias) -> Expr {
        let mut each = |left: &Expr, comparisons: &[Comparison]| -> Vec<Expr> {
            comparisons.iter().map(|c| self.comparison(left.clone(), c, table, alias, root)).collect()
        };
        match comparison {
            Comparison::Null(null) => Expr::Postfix(Box::new(left), if *null { "IS NULL" } else { "IS NOT NULL" }),
            Comparison::Cast(ty, comparisons) => {
                Expr::And(each(&Expr::Cast(Box::new(left), ty.sql.clone()), comparisons))
            }
            Comparison::Any(comparisons) => Expr::Or(each(&left, comparisons)),
            Comparison::Every(comparisons) => Expr::And(each(&left, comparisons)),
            Comparison::Within(within, from, distance, sphere) => {
                let ty = ScalarType::builtin(if sphere.is_some() { "geography" } else { "geometry" });
                let from = self.bind(from.clone(), &ty);
                let distance = self.bind(distance.clone(), &ScalarType::builtin("float8"));
                let mut arguments = vec![left, from, distance];
                if let Some(sphere) = sphere {
                    arguments.push(self.bind(sphere.clone(), &ScalarType::builtin("bool")));
                }
                let function = match within {
                    Within::Plane => "ST_DWithin",
                    Within::Space => "ST_3DDWithin",
                };
                Expr::Call(function, arguments)
            }
            Comparison::Band(geometry, band) => {
                let geometry = self.bind(geometry.clone(), &ScalarType::builtin("geometry"));
                let band = band.as_ref().map(|band| self.bind(band.clone(), &ScalarType::builtin("int4")));
                Expr::Call("ST_Intersects", [left, geometry].into_iter().chain(band).collect())
            }
            Comparison::Binary(operator, operand) => {
                let (right, null) = self.operand(*operator, operand, table, alias, root);
                if null { against_null(left, *operator, right) } else { infix(left, *operator, right) }
            }
        }
    }

    /// What a value is compared with, and whether it is the literal null.
    fn operand(
        &mut self,
        operator: Binary,
        operand: &Operand,
        table: TableId,
        alias: Alias,
        root: Alias,
    ) -> (Expr, bool) {
        let right = match operand {
            Operand::Column(column) => self.column(table, *column, alias),
            Operand::RootColumn(column, at) => self.column(*at, *column, root),
            Operand::RelatedColumn(relationship, column) => {
                let other = self.table(table).relationships[*relationship].table;
                let there = self.alias();
                let filter = Expr::all(self.mapping(table, *relationship, alias, there));
                let outputs = vec![(self.column(other, *column, there), None)];
                let origin = self.read(other);
                let from = Some(From { origin, alias: there });
                let limit = Some(Expr::Number(1));
                Expr::Scalar(Box::new(Select { outputs, from, filter, limit, ..Select::default() }))
            }
            Operand::Value(source, ty) => {
                let ty = match operator {
                    Binary::HasKeysAny | Binary::HasKeysAll => permission::list_of(&ScalarType::builtin("text")),
                    _ => ty.clone(),
                };
                return (self.bind(source.clone(), &ty), *source == Source::Null);
            }
        };
        (right, false)
    }
}

/// What a permission compares with the literal null: equality holds of nulls, inequality of everything else.
fn against_null(left: Expr, operator: Binary, right: Expr) -> Expr {
    let test = match operator {
        Binary::Eq => "IS NULL",
        Binary::Neq => "IS NOT NULL",
        _ => return infix(left, operator, right),
    };
    let null = Expr::Postfix(Box::new(left.clone()), test);
    Expr::Or(vec![infix(left, operator, right), null])
}

fn infix(left: Expr, operator: Binary, right: Expr) -> Expr {
    let call = |function| Expr::Call(function, vec![left.clone(), right.clone()]);
    let symbol = match operator {
        Binary::Eq => "=",
        Binary::Neq => "<>",
        Binary::Gt => ">",
        Binary::Lt => "<",
        Binary::Gte => ">=",
        Binary::Lte => "<=",
        Binary::In => return left.binary("=", Expr::Call("ANY", vec![right])),
        Binary::Nin => return left.binary("<>", Expr::Call("ALL", vec![right])),
        Binary::Like => "LIKE",
        Binary::Nlike => "NOT LIKE",
        Binary::Ilike => "ILIKE",
        Binary::Nilike => "NOT ILIKE",
        Binary::Similar => "SIMILAR TO",
        Binary::Nsimilar => "NOT SIMILAR TO",
        Binary::Regex => "~",
        Binary::Iregex => "~*",
        Binary::Nregex => "!~",
        Binary::Niregex => "!~*",
        Binary::Contains | Binary::Ancestor => "@>",
        Binary::ContainedIn | Binary::Descendant => "<@",
        Binary::HasKey => "?",
        Binary::HasKeysAny => "?|",
        Binary::HasKeysAll => "?&",
        Binary::AncestorAny => "@>",
        Binary::DescendantAny => "<@",
        Binary::Matches => "~",
        Binary::MatchesAny => "?",
        Binary::MatchesFulltext => "@",
        Binary::StContains => return call("ST_Contains"),
        Binary::StCrosses => return call("ST_Crosses"),
        Binary::StEquals => return call("ST_Equals"),
        Binary::StIntersects | Binary::StIntersectsRast => return call("ST_Intersects"),
        Binary::St3dIntersects => return call("ST_3DIntersects"),
        Binary::StOverlaps => return call("ST_Overlaps"),
        Binary::StTouches => return call("ST_Touches"),
        Binary::StWithin => return call("ST_Within"),
    };
    left.binary(symbol, right)
}
