//! `docs/hasura-compatibility.md`, written from the table that refuses.

use super::unsupported::UNSUPPORTED;

/// A line of a table.
type Row = (&'static str, &'static str);

/// What metadata may say and what has no effect here, because the service's configuration stands in its place.
const KEPT: &[Row] = &[
    (
        "sources[*].configuration.connection_info",
        "the engine uses the service's own pool (`database.*`); URL, pool sizes, certificates and prepared statements are kept for export",
    ),
    (
        "custom_types.enums[*].values[*].is_deprecated",
        "kept for export; introspection shows no value of an enum as deprecated",
    ),
    ("sources[*].configuration.extensions_schema", "the engine installs no extensions"),
    ("`comment` of relationships, permissions, actions' permissions, collections", "notes, kept for export"),
];

/// What is not served at all, by path, command or setting.
const ABSENT: &[Row] = &[
    ("/v1beta1/relay", "the Relay API"),
    (
        "a second source (`add_source`)",
        "the engine serves one source over the service's own pool; it may be renamed, dropped and added again",
    ),
    ("HASURA_GRAPHQL_AUTH_HOOK", "authentication by a webhook; use JWTs or the admin secret"),
    (
        "persisted queries (extensions.persistedQuery)",
        "refused with `not-supported`, as Hasura's community edition does",
    ),
];

/// Where an answer differs from Hasura's on purpose.
const DIFFERENCES: &[Row] = &[
    ("a text with a NUL", "refused; Hasura stores what stands before the NUL"),
    ("a string in JSON that begins with the noncharacter U+10FFFE", "refused as JSON that is none; Hasura takes it"),
    (
        "an empty `x-hasura-role` beside the administrator's secret",
        "refused as `invalid-headers`, never taken as `admin`",
    ),
    (
        "an action whose output is a list of scalars",
        "its type is shown as it is declared; Hasura's introspection loses the list and the null",
    ),
    (
        "the call of an asynchronous action",
        "made as soon as it is stored; of the client's headers `hdb_action_log` keeps only those that go along, until the handler has answered, and never `x-hasura-*`; when the engine is killed in the middle, the call is made again 15 seconds after its time-out",
    ),
    (
        "limits on tokens, depth, fields, rows, actions, aliases, batches, time, rate and operations at a time",
        "on for every role but `admin`, from the service's configuration (`engine.*`, `rate_limits`) and `api_limits`; in Hasura only the paid editions have some of them. Who asks too often is answered with status 429",
    ),
    (
        "the size of a request's body",
        "at most `server.body_limit` bytes, with the administrator's secret 64 MiB; Hasura sets no limit",
    ),
    (
        "introspection",
        "one operation is told at most twice what the introspection query of tools comes to, and one operation of a batch may introspect, for every role but `admin`",
    ),
    (
        "a second `connection_init`",
        "closes a socket of `graphql-transport-ws` with 4429, as its protocol says; Hasura takes it. The first keep-alive comes after `connection_ack`",
    ),
    (
        "a webhook that redirects to another host",
        "of the headers only the content's type, `Accept` and `User-Agent` go along; Hasura sends all",
    ),
    (
        "errors of webhooks and remote schemas under `/api/rest`",
        "the webhook's own 4xx status, code and field, or the status for the code of the remote's first error; Hasura answers 400 or 500 and `unexpected`",
    ),
    (
        "tokens (`strict` in the JWT configuration)",
        "the service takes its own only with `exp`, `iss`, `aud`, `sub` and a key's id, each once, as RFC 8725 asks; without `strict` they are judged as in Hasura",
    ),
    (
        "a live query",
        "sent when a table that it reads has changed, by the configured poll otherwise; Hasura polls each second",
    ),
    (
        "relationships to and from remote schemas",
        "also in live queries and streams, which Hasura refuses there; what a remote says is asked again when a row changes",
    ),
    (
        "`run_sql` that changes the schema",
        "changes go on to be captured for event triggers meanwhile; Hasura takes its triggers away until the SQL has run, and misses what others write",
    ),
    ("a streaming subscription after a change of metadata", "goes on from its cursor under the new permissions"),
    ("remote schema permissions", "in force without a switch"),
    (
        "metadata changed by `/v1/metadata`",
        "kept in `hdb_catalog.hdb_metadata` as in Hasura; a metadata directory is applied at start when it differs from the one applied last",
    ),
];

/// `docs/hasura-compatibility.md`: what the engine refuses, does not serve and answers otherwise.
pub fn compatibility() -> String {
    let mut text = String::from(
        "<!-- Written from crates/engine/src/metadata: run `make generate`. -->\n\
         # The embedded engine and Hasura v2\n\n\
         The embedded engine reads Hasura v2's metadata (config version 3) and answers as Hasura v2.48 does. What it does\n\
         not do it does not ignore: such metadata is refused when it is loaded, with the file, the line, the key and the\n\
         reason. `northstack metadata check`, `northstack dev` and `northstack serve` then end with exit code 2;\n\
         `/v1/metadata` answers `parse-failed` with the key as path. Unknown keys are refused alike.\n\n\
         ## Refused\n\n\
         `[*]` stands for each member of a list. An empty or absent value asks for nothing and is accepted.\n\n\
         | key | what to do |\n|---|---|\n",
    );
    for entry in UNSUPPORTED {
        text.push_str(&format!("| `{}` | {} |\n", entry.key, entry.reason));
    }
    let sections: [(&str, &str, &[Row]); 3] = [
        ("Accepted without effect", "key | why", KEPT),
        ("Not served", "path, command or setting | what it is", ABSENT),
        ("Answered otherwise", "case | here", DIFFERENCES),
    ];
    for (title, head, rows) in sections {
        text.push_str(&format!("\n## {title}\n\n| {head} |\n|---|---|\n"));
        for (name, words) in rows {
            text.push_str(&format!("| {name} | {words} |\n"));
        }
    }
    text
}
