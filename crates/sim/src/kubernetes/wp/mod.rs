//! WordPress, WooCommerce and MySQL as far as a store flow sees them: what lies on their disks, and the commands
//! that change it. A site's files live on the disk at `/var/www/html`, its database on the one at `/var/lib/mysql`;
//! both die with their claim.

mod args;
mod broken;
mod catalogue;
mod cli;
mod connect;
mod core;
mod extensions;
mod globals;
mod mysql;
mod options;
mod print;
mod products;
mod shop;
mod site;
mod start;
mod titles;
mod users;

pub(crate) use broken::broken_off;
pub(crate) use cli::run;
pub(crate) use connect::{Failure, Site as OpenSite, open};
pub(crate) use mysql::{mysql, mysqladmin};
pub(crate) use site::{Order, OrderLine, Page, Product, Site, Volume};
pub(crate) use start::{container_started, directory, file, initialised, initialises};

/// Whether an image is a MySQL or MariaDB server.
pub(crate) fn is_mysql(image: &str) -> bool {
    let name = repository(image);
    name.ends_with("mysql") || name.ends_with("mariadb") || name.contains("mysql-server")
}

/// Whether an image serves WordPress over HTTP.
pub(crate) fn serves_wordpress(image: &str) -> bool {
    repository(image).ends_with("wordpress") && !has_cli(image)
}

/// Whether an image has WP-CLI.
pub(crate) fn has_cli(image: &str) -> bool {
    let tag = image.rsplit('/').next().and_then(|last| last.split_once(':')).map_or("", |(_, tag)| tag);
    repository(image).ends_with("wp-cli") || (repository(image).ends_with("wordpress") && tag.starts_with("cli"))
}

/// Whether an image has the `mysql` client.
pub(crate) fn has_mysql_client(image: &str) -> bool {
    is_mysql(image) || has_cli(image)
}

/// An image's name without its tag or digest.
fn repository(image: &str) -> &str {
    let plain = image.split('@').next().unwrap_or(image);
    let slash = plain.rfind('/').map_or(0, |index| index + 1);
    match plain.get(slash..).and_then(|last| last.find(':')) {
        Some(colon) => plain.get(..slash + colon).unwrap_or(plain),
        None => plain,
    }
}
