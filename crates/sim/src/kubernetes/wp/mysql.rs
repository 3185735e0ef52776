//! `mysqladmin ping` and `mysql -e`: in the server's own container over its socket, from others over the network.

use std::collections::BTreeMap;

use super::connect::server;
use super::is_mysql;
use super::site::Database;
use super::start::MYSQL;
use crate::kubernetes::exec::{Output, Place};
use crate::kubernetes::storage::State;

/// What the command line says of the connection.
#[derive(Default)]
struct Client {
    host: String,
    user: String,
    password: Option<String>,
    execute: Option<String>,
    database: Option<String>,
    words: Vec<String>,
}

fn read(arguments: &[String], env: &BTreeMap<String, String>) -> Client {
    let mut client = Client { password: env.get("MYSQL_PWD").cloned(), ..Client::default() };
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        let mut value = |short: &str, long: &str| -> Option<String> {
            if let Some(text) = argument.strip_prefix(long).and_then(|text| text.strip_prefix('=')) {
                return Some(text.to_owned());
            }
            if argument.starts_with("--") {
                return None;
            }
            match argument.strip_prefix(short) {
                // `-p` alone would ask for a password; nobody answers here.
                Some("") if short != "-p" => rest.next().cloned(),
                Some("") => Some(String::new()),
                Some(text) => Some(text.to_owned()),
                None => None,
            }
        };
        if let Some(host) = value("-h", "--host") {
            client.host = host;
        } else if let Some(user) = value("-u", "--user") {
            client.user = user;
        } else if let Some(password) = value("-p", "--password") {
            client.password = Some(password);
        } else if let Some(sql) = value("-e", "--execute") {
            client.execute = Some(sql);
        } else if let Some(name) = value("-D", "--database") {
            client.database = Some(name);
        } else if !argument.starts_with('-') {
            client.words.push(argument.clone());
        }
    }
    if client.user.is_empty() {
        client.user = "root".to_owned();
    }
    client
}

/// The server's data, as far as it can be reached.
fn reach<'a>(state: &'a State, place: &Place<'_>, client: &Client) -> Result<&'a Database, Output> {
    let own = matches!(client.host.as_str(), "" | "localhost" | "127.0.0.1");
    let disk = if own && is_mysql(place.image()) {
        Some(place.disk(state, MYSQL))
    } else {
        server(state, place, &client.host)
    };
    let socket = own && client.host != "127.0.0.1";
    let database = disk.and_then(|disk| state.volume(&disk)).and_then(|volume| volume.database.as_ref());
    database.filter(|database| socket || !database.temporary).ok_or_else(|| {
        let host = if client.host.is_empty() { "localhost" } else { &client.host };
        Output::fail(1, format!("ERROR 2003 (HY000): Can't connect to MySQL server on '{host}:3306' (111)"))
    })
}

fn admits(database: &Database, client: &Client) -> bool {
    let password = client.password.as_deref().unwrap_or_default();
    (client.user == "root" && password == database.root_password)
        || (client.user == database.user && !client.user.is_empty() && password == database.password)
}

fn denied(client: &Client) -> String {
    let used = if client.password.is_some() { "YES" } else { "NO" };
    format!("ERROR 1045 (28000): Access denied for user '{}'@'localhost' (using password: {used})", client.user)
}

/// `mysqladmin <command>`.
pub(crate) fn mysqladmin(
    state: &State,
    place: &Place<'_>,
    env: &BTreeMap<String, String>,
    arguments: &[String],
) -> Output {
    let client = read(arguments, env);
    let database = match reach(state, place, &client) {
        Ok(database) => database,
        Err(_) => {
            let message = "mysqladmin: connect to server at 'localhost' failed\nerror: 'Can't connect to local MySQL \
                           server through socket '/var/run/mysqld/mysqld.sock' (2)'";
            return Output::fail(1, message);
        }
    };
    match client.words.first().map(String::as_str) {
        // It pings even when access is denied: the server is alive.
        Some("ping") if admits(database, &client) => Output::ok("mysqld is alive"),
        Some("ping") => Output { stderr: format!("{}\n", denied(&client)), ..Output::ok("mysqld is alive") },
        Some("status") if admits(database, &client) => Output::ok("Uptime: 1  Threads: 1  Questions: 1"),
        Some(_) => Output::fail(1, denied(&client)),
        None => Output::fail(1, "mysqladmin: no command given"),
    }
}

/// `mysql -e <sql> [database]`.
pub(crate) fn mysql(
    state: &State,
    place: &Place<'_>,
    env: &BTreeMap<String, String>,
    arguments: &[String],
    stdin: &[u8],
) -> Output {
    let client = read(arguments, env);
    let database = match reach(state, place, &client) {
        Ok(database) => database,
        Err(output) => return output,
    };
    if !admits(database, &client) {
        return Output::fail(1, denied(&client));
    }
    if let Some(name) = client.database.as_ref().or(client.words.first())
        && *name != database.name
        && name != "mysql"
    {
        return Output::fail(1, format!("ERROR 1049 (42000): Unknown database '{name}'"));
    }
    let sql = client.execute.unwrap_or_else(|| String::from_utf8_lossy(stdin).into_owned());
    match sql.trim().trim_end_matches(';').to_lowercase().as_str() {
        "" => Output::silent(0),
        "select 1" => Output::ok("1\n1"),
        "show databases" => Output::ok(format!("Database\n{}\ninformation_schema\nmysql", database.name)),
        _ => Output::fail(
            1,
            "ERROR 1235 (42000): This version of MySQL doesn't yet support 'this statement (simulated)'",
        ),
    }
}
