//! What the containers' entrypoints leave on their disks when they start, and the files that can be seen there.

use std::collections::BTreeMap;

use super::site::{Database, Files, Volume};
use super::{catalogue, is_mysql, serves_wordpress};
use crate::kubernetes::exec::{Place, environment};
use crate::kubernetes::storage::State;

pub(super) const HTML: &str = "/var/www/html";
pub(super) const MYSQL: &str = "/var/lib/mysql";

/// Does what an image's entrypoint does, and gives the lines that it prints.
pub(crate) fn container_started(state: &mut State, place: &Place<'_>) -> Vec<String> {
    if is_mysql(place.image()) {
        start_mysql(state, place)
    } else if serves_wordpress(place.image()) {
        start_wordpress(state, place)
    } else {
        vec![format!("{} started", place.image())]
    }
}

fn start_mysql(state: &mut State, place: &Place<'_>) -> Vec<String> {
    let uid = place.disk(state, MYSQL);
    let mut volume = state.volume(&uid).cloned().unwrap_or_default();
    let mut lines = vec!["[Note] [Entrypoint]: Entrypoint script for MySQL Server started.".to_owned()];
    if volume.database.is_none() {
        // The variables count on an empty data directory alone.
        let env = environment(state, place.namespace, place.pod, place.container).unwrap_or_default();
        let get = |name: &str| {
            let plain = env.get(&format!("MYSQL_{name}")).or_else(|| env.get(&format!("MARIADB_{name}")));
            plain.cloned().unwrap_or_default()
        };
        volume.database = Some(Database {
            root_password: get("ROOT_PASSWORD"),
            name: get("DATABASE"),
            user: get("USER"),
            password: get("PASSWORD"),
            sites: BTreeMap::new(),
            temporary: true,
        });
        state.set_volume(&uid, volume);
        lines.push("[Note] [Entrypoint]: Initializing database files".to_owned());
        lines.push("[Note] [Entrypoint]: Starting temporary server".to_owned());
        return lines;
    }
    lines.push("[System] [MY-010931] [Server] /usr/sbin/mysqld: ready for connections. port: 3306".to_owned());
    lines
}

/// Whether a container's MySQL prepares its data directory: for so long it answers on its socket, and nobody's
/// connection over the network.
pub(crate) fn initialises(state: &State, place: &Place<'_>) -> bool {
    is_mysql(place.image()) && {
        let volume = state.volume(&place.disk(state, MYSQL));
        volume.and_then(|volume| volume.database.as_ref()).is_some_and(|database| database.temporary)
    }
}

/// Puts the real server in place of the temporary one.
pub(crate) fn initialised(state: &mut State, place: &Place<'_>) {
    let uid = place.disk(state, MYSQL);
    let mut volume = state.volume(&uid).cloned().unwrap_or_default();
    if let Some(database) = &mut volume.database {
        database.temporary = false;
        state.set_volume(&uid, volume);
    }
}

fn start_wordpress(state: &mut State, place: &Place<'_>) -> Vec<String> {
    let uid = place.disk(state, HTML);
    let mut volume = state.volume(&uid).cloned().unwrap_or_default();
    let mut lines = Vec::new();
    if volume.files.is_none() {
        lines.push("WordPress not found in /var/www/html - copying now...".to_owned());
        lines.push("Complete! WordPress has been successfully copied to /var/www/html".to_owned());
        lines.push("No 'wp-config.php' found in /var/www/html, but 'WORDPRESS_...' variables supplied; copying \
                    'wp-config-docker.php' (WORDPRESS_DB_HOST WORDPRESS_DB_NAME WORDPRESS_DB_PASSWORD WORDPRESS_DB_USER)"
            .to_owned());
        volume.files = Some(Files {
            version: catalogue::wordpress(place.image()),
            plugins: BTreeMap::from([("akismet".to_owned(), "5.5".to_owned())]),
            themes: BTreeMap::from([("twentytwentyfive".to_owned(), "1.4".to_owned())]),
            written: BTreeMap::new(),
        });
        state.set_volume(&uid, volume);
    }
    lines.push(
        "[mpm_prefork:notice] AH00163: Apache/2.4.66 (Debian) PHP/8.3 configured -- resuming normal operations"
            .to_owned(),
    );
    lines
}

fn files(state: &State, place: &Place<'_>) -> Option<Files> {
    let uid = place.disk(state, HTML);
    state.volume(&uid).and_then(|volume: &Volume| volume.files.clone())
}

/// The text of a file that a container can see.
pub(crate) fn file(state: &State, place: &Place<'_>, path: &str) -> Option<String> {
    if let Some(name) = path.strip_prefix("/var/run/secrets/kubernetes.io/serviceaccount/") {
        return match name {
            "namespace" => Some(place.namespace.to_owned()),
            "token" | "ca.crt" => Some("simulated\n".to_owned()),
            _ => None,
        };
    }
    if path == "/etc/hostname" {
        return Some(format!("{}\n", crate::kubernetes::json::text(place.pod, "/metadata/name")));
    }
    let files = files(state, place)?;
    let inside = path.strip_prefix(HTML)?.trim_start_matches('/');
    if let Some(text) = files.written.get(inside) {
        return Some(text.clone());
    }
    match inside {
        "wp-includes/version.php" => Some(format!("<?php\n$wp_version = '{}';\n", files.version)),
        "wp-config.php" => {
            Some("<?php\ndefine( 'DB_NAME', getenv_docker('WORDPRESS_DB_NAME', 'wordpress') );\n".to_owned())
        }
        "index.php" | "wp-load.php" | "wp-login.php" | "wp-settings.php" | "wp-config-docker.php" | ".htaccess" => {
            Some("<?php\n".to_owned())
        }
        _ => {
            let plugin = inside.strip_prefix("wp-content/plugins/")?;
            let (slug, rest) = plugin.split_once('/')?;
            let version = files.plugins.get(slug)?;
            (rest == format!("{slug}.php")).then(|| format!("<?php\n/* Version: {version} */\n"))
        }
    }
}

/// The names in a directory that a container can see.
pub(crate) fn directory(state: &State, place: &Place<'_>, path: &str) -> Option<Vec<String>> {
    let path = path.trim_end_matches('/');
    let names = |keys: &BTreeMap<String, String>| keys.keys().cloned().collect::<Vec<_>>();
    if path == HTML {
        let fixed = ["index.php", "wp-admin", "wp-config.php", "wp-content", "wp-includes", "wp-load.php"];
        return Some(if files(state, place).is_some() { fixed.map(str::to_owned).to_vec() } else { Vec::new() });
    }
    let files = files(state, place)?;
    match path.strip_prefix(HTML)?.trim_start_matches('/') {
        "wp-content" => Some(["plugins", "themes", "uploads"].map(str::to_owned).to_vec()),
        "wp-content/plugins" => Some(names(&files.plugins)),
        "wp-content/themes" => Some(names(&files.themes)),
        "wp-admin" | "wp-includes" | "wp-content/uploads" => Some(Vec::new()),
        inside => {
            let (kind, slug) = inside.strip_prefix("wp-content/")?.split_once('/')?;
            let known = if kind == "plugins" { &files.plugins } else { &files.themes };
            known.contains_key(slug).then(Vec::new)
        }
    }
}
