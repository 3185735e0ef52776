//! Names as people type them: none is taken for an option, and each is the shop's as it was typed.

use northstack::domain::Code;
use northstack::workflow::Faults;
use northstack::workflow::flows::store;
use northstack::workflow::testing::{Bench, Worker, ended};
use serde_json::json;

use super::bench::Town;

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_looks_like_an_option_is_refused_on_every_face() {
    let town = Town::new(store::CREATE).await;
    let session = json!({ "x-hasura-role": "user", "x-hasura-user-id": town.caller.actor.user_id() });
    let login = json!({ "email": "ada@example.com", "password": "correct horse battery" });
    let login = town.service.post("/api/v1/auth/login", &[], &login).await;
    let bearer = format!("Bearer {}", login.json()["data"]["accessToken"].as_str().unwrap());
    for name in ["--exec=phpinfo();", "-h", "--ssh=evil@attacker.example", "--", "-- x", "  --path=/etc", "--help"] {
        let answer = town.service.action("createStore", json!({ "name": name }), session.clone()).await;
        assert_eq!(answer.code(), Code::InvalidInput.as_str(), "{name}: {}", answer.text);
        assert_eq!(answer.json()["extensions"]["field"], "name", "{name}: {}", answer.text);
        let answer = town.service.post("/api/stores", &[("authorization", &bearer)], &json!({ "name": name })).await;
        assert_eq!(answer.status.as_u16(), 422, "{name}: {}", answer.text);
        assert!(answer.text.contains("does not begin with `-`"), "{name}: {}", answer.text);
    }
    let stores: i64 = sqlx::query_scalar("select count(*) from stores").fetch_one(&town.pool()).await.unwrap();
    assert_eq!(stores, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_becomes_the_shops_whatever_it_says() {
    let town = Town::new(store::CREATE).await;
    let option = "--exec=file_put_contents('owned.txt','x');";
    for name in ["Tom & Jerry's \"Best\" <Shop> -- 9x9", "$(id) `id` ; 'x'", "Caf\u{e9} \u{1f600} &amp; &foo;", option]
    {
        let made = town.create("A name").await;
        // The last is of a store that was asked for before such names were refused.
        let rename = "update operations set input = jsonb_set(input, '{name}', to_jsonb($2::text)) where id = $1";
        sqlx::query(rename).bind(made.operation).bind(name).execute(&town.pool()).await.unwrap();
        let worker = Worker::start(&town, Faults::none());
        assert_eq!(ended(&town, made.operation).await, "succeeded", "{name}");
        worker.stop().await;
        let (store_id, ..) = town.row(made.store).await;
        let kept = town.wp(&store_id, &["option", "get", "blogname"]).await;
        let plain = kept.replace("&#039;", "'").replace("&quot;", "\"").replace("&lt;", "<").replace("&gt;", ">");
        assert_eq!(plain.replace("&amp;", "&"), name.replace("&amp;", "&"), "{kept}");
        let owned = town.run(&store_id, &["test", "-f", "owned.txt"]).await;
        assert_eq!(owned.code, 1, "{name}: nothing of it was run");
        sqlx::query("update stores set status = 'deleted', deleted_at = now()").execute(&town.pool()).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_simulated_wp_cli_takes_options_as_the_real_one_does() {
    let town = Town::new(store::CREATE).await;
    let id = town.ready("My Shop").await;
    let (store_id, ..) = town.row(id).await;
    let run = async |words: &[&str]| town.run(&store_id, &[&["wp"], words].concat()).await;
    let update = ["option", "update", "blogname"];
    // The value is taken for an option, wherever it stands and whatever stands before it.
    let php = "--exec=file_put_contents('owned.txt','x');";
    assert_eq!(run(&[&update[..], &["--", php]].concat()).await.code, 0);
    assert_eq!(town.run(&store_id, &["cat", "owned.txt"]).await.stdout, "x");
    assert_eq!(town.wp(&store_id, &["option", "get", "blogname"]).await, "--");
    for (word, code, said) in [
        ("--ssh=evil@attacker.example", 127, "ssh: not found"),
        ("--path=/etc", 1, "does not seem to be a WordPress installation"),
        ("--path", 1, "cannot be empty"),
        ("--require=evil.php", 1, "Required file 'evil.php' doesn't exist"),
        ("--http=evil.example", 1, "RESTful WP-CLI"),
        ("--user=nobody", 1, "Invalid user ID, email or login: 'nobody'"),
        ("--nonsense", 1, "unknown --nonsense parameter"),
    ] {
        let output = run(&[&update[..], &[word]].concat()).await;
        assert!(output.code == code && output.stderr.contains(said), "{word}: {output:?}");
    }
    let help = run(&[&update[..], &["--help"]].concat()).await;
    assert!(help.code == 0 && help.stdout.starts_with("NAME"), "{help:?}");
    let more = run(&[&update[..], &["two", "words"]].concat()).await;
    assert!(more.code == 1 && more.stderr.contains("Too many positional arguments: words"), "{more:?}");
}
