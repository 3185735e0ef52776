//! Memberships: an invitation that is accepted, an owner who stays, an account that has ended, and limits.

use serde_json::{Value, json};
use uuid::Uuid;

use super::{World, refused};

const MINE: &str = "{ team_members { team_id user_id role active team_name } teams { name } users { name email } }";

async fn membership(world: &World, team: Uuid, user: Uuid) -> Uuid {
    let query =
        sqlx::query_scalar("select id from team_members where team_id = $1 and user_id = $2 and deleted_at is null");
    query.bind(team).bind(user).fetch_one(&world.pool).await.unwrap()
}

async fn invite(world: &World, by: Uuid, team: Uuid, user: Uuid, role: &str) -> Value {
    world.insert(by, "team_members", json!({ "team_id": team, "user_id": user, "role": role })).await
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_added_is_a_member_once_they_have_accepted() {
    let world = World::new().await;
    let (alice, bob) = (world.a.owner, world.b.owner);
    let carol = world.person("carol").await;
    assert!(!refused(&invite(&world, alice, world.a.id, carol, "admin").await));
    let id = membership(&world, world.a.id, carol).await;

    // Neither has got anything of the other by it.
    let seen = world.ask(alice, MINE, json!({})).await;
    assert!(!seen["data"]["users"].to_string().contains("carol"), "{seen}");
    let seen = world.ask(carol, MINE, json!({})).await;
    assert_eq!(seen["data"]["teams"], json!([]));
    assert!(!seen.to_string().contains("alice@"), "{seen}");
    assert_eq!(seen["data"]["team_members"][0]["team_name"], "alice", "what the invitation is to: {seen}");
    let project = json!({ "team_id": world.a.id, "name": "hers" });
    assert!(refused(&world.insert(carol, "projects", project.clone()).await));
    // Nobody accepts for another, and nobody in another role.
    for (who, set) in [
        (alice, json!({ "accepted_at": "now()" })),
        (bob, json!({ "accepted_at": "now()" })),
        (carol, json!({ "accepted_at": "now()", "role": "owner" })),
        (carol, json!({ "role": "owner" })),
    ] {
        assert!(refused(&world.update(who, "team_members", id, set.clone()).await), "{set}");
    }
    assert_eq!(world.count("select count(*) from team_members where active and role = 'admin'").await, 0);

    let accepted = world.update(carol, "team_members", id, json!({ "accepted_at": "2020-01-01" })).await;
    assert!(!refused(&accepted), "{accepted}");
    assert!(!refused(&world.insert(carol, "projects", project).await));
    let seen = world.ask(alice, MINE, json!({})).await;
    assert!(seen["data"]["users"].to_string().contains("carol@example.com"), "{seen}");
    assert_eq!(world.count("select count(*) from team_members where accepted_at < '2021-01-01'").await, 0);

    // Declined, and left, at the time at which that was, in the role that it was.
    for (user, role) in [(world.eve, "viewer"), (world.person("dora").await, "owner")] {
        assert!(!refused(&invite(&world, alice, world.a.id, user, role).await));
        let id = membership(&world, world.a.id, user).await;
        let other = world.update(user, "team_members", id, json!({ "deleted_at": "infinity", "role": "admin" })).await;
        assert!(refused(&other), "{other}");
        let declined = world.update(user, "team_members", id, json!({ "deleted_at": "infinity" })).await;
        assert!(!refused(&declined), "{declined}");
    }
    assert_eq!(world.count("select count(*) from team_members where deleted_at > now()").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn invitations_keep_nobody_from_teams_of_their_own() {
    let world = World::new().await;
    let (alice, carol) = (world.a.owner, world.person("carol").await);
    let flood = "with made as (
                   insert into teams (name, slug) select 'Flood', 'flood-' || n from generate_series(1, 100) n returning id)
                 insert into team_members (team_id, user_id, role, accepted_at) select id, $1, 'viewer', null from made";
    sqlx::query(flood).bind(carol).execute(&world.pool).await.unwrap();
    let one_more = invite(&world, alice, world.a.id, carol, "viewer").await;
    assert!(one_more.to_string().contains("this person has 100 invitations that wait for an answer"), "{one_more}");
    let own = json!({ "name": "own", "slug": "own", "members": { "data": [{ "user_id": carol, "role": "owner" }] } });
    let made = world.insert(carol, "teams", own).await;
    assert!(!refused(&made), "{made}");
    // Those of teams that are no more cannot be declined, and do not count.
    let ended = "update teams set deleted_at = now() where name = 'Flood'";
    sqlx::query(ended).execute(&world.pool).await.unwrap();
    let invited = invite(&world, alice, world.a.id, carol, "viewer").await;
    assert!(!refused(&invited), "{invited}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_team_is_made_with_its_maker_as_its_owner_and_is_nobody_elses_to_take() {
    let world = World::new().await;
    let team =
        json!({ "name": "new", "slug": "new", "members": { "data": [{ "user_id": world.eve, "role": "owner" }] } });
    assert!(!refused(&world.insert(world.eve, "teams", team).await));
    let seen =
        world.ask(world.eve, "{ teams(where: { slug: { _eq: \"new\" } }) { id members { active } } }", json!({})).await;
    assert_eq!(seen["data"]["teams"][0]["members"], json!([{ "active": true }]), "{seen}");
    // One without members is for whoever made it.
    assert!(!refused(&world.insert(world.eve, "teams", json!({ "name": "bare", "slug": "bare" })).await));
    let bare: Uuid =
        sqlx::query_scalar("select id from teams where slug = 'bare'").fetch_one(&world.pool).await.unwrap();
    assert!(refused(&invite(&world, world.b.owner, bare, world.b.owner, "owner").await));
    assert!(!refused(&invite(&world, world.eve, bare, world.eve, "owner").await));
    assert_eq!(
        world.count("select count(*) from team_members m join teams t on t.id = m.team_id where slug = 'bare'").await,
        1
    );
    // They see it in the answer already, and so does its audit trail.
    let document = "mutation ($user: uuid!) { insert_teams_one(object: {
        name: \"shown\", members: { data: [{ user_id: $user, role: \"viewer\" }] } }) {
          id members(order_by: { role: asc }) { role active user_id } } }";
    let guest = world.person("guest").await;
    let made = world.ask(world.eve, document, json!({ "user": guest })).await;
    let expected = json!([
        { "role": "owner", "active": true, "user_id": world.eve }, { "role": "viewer", "active": false, "user_id": guest }
    ]);
    assert_eq!(made["data"]["insert_teams_one"]["members"], expected, "{made}");
    let plain = "mutation { insert_teams(objects: [{ name: \"plain\" }, { name: \"plain\" }]) {
        affected_rows returning { members { role } projects { id } } } }";
    let made = world.ask(world.eve, plain, json!({})).await;
    let one = json!({ "members": [{ "role": "owner" }], "projects": [] });
    assert_eq!(made["data"]["insert_teams"], json!({ "affected_rows": 2, "returning": [one, one] }), "{made}");
    let seen = world.ask(world.eve, "{ teams(where: { name: { _eq: \"plain\" } }) { name } }", json!({})).await;
    assert_eq!(seen["data"]["teams"].as_array().map(Vec::len), Some(2), "{seen}");
    let audited: i64 = sqlx::query_scalar(
        "select count(*) from audit_logs l join teams t on t.id = l.team_id
         where t.name = 'plain' and l.resource_type = 'team_members' and l.actor_id = $1 and l.actor_role = 'user'",
    )
    .bind(world.eve)
    .fetch_one(&world.pool)
    .await
    .unwrap();
    assert_eq!(audited, 2);
    // What the platform makes has the members that it says.
    sqlx::query("insert into teams (name, created_by) values ('platform', $1)")
        .bind(guest)
        .execute(&world.pool)
        .await
        .unwrap();
    assert_eq!(
        world
            .count("select count(*) from team_members m join teams t on t.id = m.team_id where t.name = 'platform'")
            .await,
        0
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_owners_who_go_at_once_one_stays() {
    let world = World::new().await;
    let (alice, bob) = (world.a.owner, world.b.owner);
    for round in 0..25 {
        sqlx::query("update team_members set role = 'owner', deleted_at = null where team_id = $1")
            .bind(world.a.id)
            .execute(&world.pool)
            .await
            .unwrap();
        let set = if round % 2 == 0 { json!({ "role": "viewer" }) } else { json!({ "deleted_at": "now()" }) };
        let (first, second) = (membership(&world, world.a.id, alice).await, membership(&world, world.a.id, bob).await);
        let (one, other) = tokio::join!(
            world.update(alice, "team_members", second, set.clone()),
            world.update(bob, "team_members", first, set),
        );
        assert!(!refused(&one) || !refused(&other), "one of them may: {one} {other}");
        let owners = world
            .count(
                "select count(*) from team_members m join teams t on t.id = m.team_id
                    where t.slug = 'alice' and m.role = 'owner' and m.deleted_at is null",
            )
            .await;
        assert_eq!(owners, 1, "round {round}: {one} {other}");
    }
    // Also by one request of the administrator.
    let all =
        "mutation ($id: uuid!) { update_team_members(where: { team_id: { _eq: $id } }, _set: { role: \"viewer\" }) {
        affected_rows } }";
    let answer = world.administer(all, json!({ "id": world.a.id })).await;
    assert!(answer["errors"][0]["message"].as_str().unwrap().contains("a team needs an owner"), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_made_in_what_is_being_deleted() {
    let world = World::new().await;
    let bob = world.b.owner;
    for round in 0..15 {
        let name = format!("p{round}");
        assert!(!refused(&world.insert(bob, "projects", json!({ "team_id": world.b.id, "name": name })).await));
        let id: Uuid = sqlx::query_scalar("select id from projects where name = $1")
            .bind(&name)
            .fetch_one(&world.pool)
            .await
            .unwrap();
        let (made, gone) = tokio::join!(
            world.insert(bob, "applications", json!({ "project_id": id, "name": "web" })),
            world.update(bob, "projects", id, json!({ "deleted_at": "now()" })),
        );
        assert!(refused(&made) != refused(&gone), "round {round}: {made} {gone}");
        let strays = world
            .count(
                "select count(*) from applications a join projects p on p.id = a.project_id
                    where a.deleted_at is null and p.deleted_at is not null",
            )
            .await;
        assert_eq!(strays, 0, "round {round}: {made} {gone}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_has_ended_has_no_rights_and_gets_them_back_with_the_account() {
    let world = World::new().await;
    let bob = world.b.owner;
    let ask = "{ teams { id } applications { id } secrets { id } stores { id } users { id } team_members { id } }";
    let before = world.ask(bob, ask, json!({})).await;
    assert_eq!(before["data"]["teams"].as_array().unwrap().len(), 2, "{before}");
    sqlx::query("update users set deleted_at = now() where id = $1").bind(bob).execute(&world.pool).await.unwrap();
    let after = world.ask(bob, ask, json!({})).await;
    for (field, rows) in after["data"].as_object().unwrap() {
        assert_eq!(rows, &json!([]), "{field}");
    }
    let project = json!({ "team_id": world.b.id, "name": "late" });
    assert!(refused(&world.insert(bob, "projects", project).await));
    assert!(refused(&world.insert(bob, "teams", json!({ "name": "late", "slug": "late" })).await));
    let role = northstack::db::teams::role(&world.pool, world.b.id, bob).await.unwrap();
    assert_eq!(role, None);
    sqlx::query("update users set deleted_at = null where id = $1").bind(bob).execute(&world.pool).await.unwrap();
    let again = world.ask(bob, ask, json!({})).await;
    for (field, rows) in before["data"].as_object().unwrap() {
        let again = again["data"][field].as_array().unwrap().len();
        assert_eq!(again, rows.as_array().unwrap().len(), "{field}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_hold_for_many_at_once_and_say_their_number() {
    let world = World::new().await;
    let bob = world.b.owner;
    let teams: Vec<Value> = (0..50).map(|number| json!({ "name": "many", "slug": format!("many-{number}") })).collect();
    let document = "mutation ($objects: [teams_insert_input!]!) { insert_teams(objects: $objects) { affected_rows } }";
    let answer = world.ask(world.eve, document, json!({ "objects": teams })).await;
    let said = answer["errors"][0]["message"].as_str().unwrap();
    assert!(said.contains("name: you have made 10 teams"), "{said}");
    let slugs: Vec<String> = (0..30).map(|number| format!("one-{number}")).collect();
    let asked = slugs.iter().map(|slug| world.insert(world.eve, "teams", json!({ "name": "one", "slug": slug })));
    let answers = futures::future::join_all(asked).await;
    assert_eq!(answers.iter().filter(|answer| !refused(answer)).count(), 10);

    sqlx::query("update row_limits set most = 5").execute(&world.pool).await.unwrap();
    for (table, row) in [
        ("projects", json!({ "team_id": world.b.id })),
        ("applications", json!({ "project_id": world.b.project })),
        ("environment_variables", json!({ "application_id": world.b.application, "value": "v" })),
    ] {
        let asked = (0..12).map(|number| {
            let mut row = row.clone();
            row["name"] = json!(format!("n{number}"));
            world.insert(bob, table, row)
        });
        let answers = futures::future::join_all(asked).await;
        let made = answers.iter().filter(|answer| !refused(answer)).count();
        assert!(made < 6, "{table}: {made}");
        let said = answers.iter().find_map(|answer| answer["errors"][0]["message"].as_str()).unwrap();
        assert!(said.contains("has 5") && said.contains("its limit"), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn columns_have_a_size_and_times_an_end() {
    let world = World::new().await;
    let (bob, b) = (world.b.owner, world.b);
    let long = "x".repeat(900_000);
    for (table, id, set) in [
        ("teams", b.id, json!({ "settings": { "x": long } })),
        ("teams", b.id, json!({ "settings": [] })),
        ("projects", b.project, json!({ "description": long })),
        ("projects", b.project, json!({ "settings": { "x": long } })),
        ("applications", b.application, json!({ "settings": { "x": long } })),
        ("applications", b.application, json!({ "resources": { "x": long } })),
        ("applications", b.application, json!({ "repository": long })),
        ("applications", b.application, json!({ "repository": "file:///etc/passwd" })),
        ("applications", b.application, json!({ "repository": "http://169.254.169.254/latest/meta-data" })),
        ("applications", b.application, json!({ "repository": "https://169.254.169.254/latest/meta-data" })),
        ("applications", b.application, json!({ "repository": "https://localhost/a" })),
        ("applications", b.application, json!({ "repository": "--upload-pack=touch /tmp/x" })),
        ("applications", b.application, json!({ "repository": "git@github.com:-oProxyCommand=x" })),
        ("applications", b.application, json!({ "branch": long })),
        ("applications", b.application, json!({ "branch": "main\nx" })),
        ("applications", b.application, json!({ "branch": "-x" })),
        ("applications", b.application, json!({ "branch": "" })),
        ("applications", b.application, json!({ "image": "$(id)" })),
        ("applications", b.application, json!({ "image": "--help" })),
        ("applications", b.application, json!({ "image": long })),
        ("applications", b.application, json!({ "replicas": 1000 })),
        ("clusters", b.cluster, json!({ "settings": { "x": long } })),
        ("clusters", b.cluster, json!({ "region": long })),
        ("users", bob, json!({ "avatar_url": "javascript:alert(1)" })),
        ("users", bob, json!({ "avatar_url": format!("https://example.com/{long}") })),
    ] {
        let field = set.as_object().unwrap().keys().next().unwrap().clone();
        let answer = world.update(bob, table, id, set).await;
        let said = answer["errors"][0]["message"].as_str().unwrap_or_default();
        let words = said.strip_prefix("Check constraint violation. ").unwrap_or_default();
        let broken = northstack::domain::Broken::by_words(words).map(|broken| broken.field);
        assert_eq!(broken, Some(field), "{table}: {answer}");
    }
    for (column, right) in [
        ("repository", "https://github.com/example/shop.git"),
        ("repository", "https://user@git.example.com:8443/example/shop"),
        ("repository", "git@github.com:example/shop.git"),
        ("branch", "feature/übung-1.2_x"),
        ("image", "ghcr.io/example/shop:1.2@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"),
    ] {
        let answer = world.update(bob, "applications", b.application, json!({ column: right })).await;
        assert!(!refused(&answer), "{right}: {answer}");
    }
    let value = json!({ "application_id": b.application, "name": "LONG", "value": long });
    assert!(refused(&world.insert(bob, "environment_variables", value).await));
    let preview: Uuid = sqlx::query_scalar(
        "insert into preview_environments (application_id, name, branch, expires_at)
         values ($1, 'pr', 'main', now() + interval '1 day') returning id",
    )
    .bind(b.application)
    .fetch_one(&world.pool)
    .await
    .unwrap();
    for (time, allowed) in [("infinity", false), ("2999-01-01", false), ("-infinity", false), ("now()", true)] {
        let answer = world.update(bob, "preview_environments", preview, json!({ "expires_at": time })).await;
        assert_eq!(!refused(&answer), allowed, "{time}: {answer}");
    }
    assert!(!refused(&world.insert(bob, "projects", json!({ "team_id": b.id, "name": "empty" })).await));
    let empty: Uuid =
        sqlx::query_scalar("select id from projects where name = 'empty'").fetch_one(&world.pool).await.unwrap();
    let deleted = world.update(bob, "projects", empty, json!({ "deleted_at": "infinity" })).await;
    assert!(!refused(&deleted), "{deleted}");
    let alert: Uuid =
        sqlx::query_scalar("insert into alerts (team_id, severity, title) values ($1, 'warning', 'late') returning id")
            .bind(b.id)
            .fetch_one(&world.pool)
            .await
            .unwrap();
    let answer = world.update(bob, "alerts", alert, json!({ "acknowledged_at": "infinity" })).await;
    assert!(!refused(&answer), "{answer}");
    let late = "select (select count(*) from projects where deleted_at > now())
                     + (select count(*) from alerts where acknowledged_at > now())";
    assert_eq!(world.count(late).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_team_the_only_one_or_ones_own_is_meant_and_else_the_choice_is_told() {
    use northstack::domain::{Actor, Code};
    let service = crate::support::Service::start().await;
    let session = service.register("ada@example.com").await;
    let user: Uuid = session["userId"].as_str().unwrap().parse().unwrap();
    let pool = service.app.db.pool();
    let (actor, default) = (Actor::User(user), async || service.app.default_team(&Actor::User(user)).await);
    let own = default().await.unwrap();
    for name in ["one", "two"] {
        let join = "with made as (insert into teams (name, slug) values ($2, $2) returning id)
                    insert into team_members (team_id, user_id, role) select id, $1, 'developer' from made";
        sqlx::query(join).bind(user).bind(name).execute(pool).await.unwrap();
    }
    assert_eq!(service.app.default_team(&actor).await.unwrap(), own);
    sqlx::query("update teams set created_by = null").execute(pool).await.unwrap();
    let refused = default().await.unwrap_err();
    assert_eq!((refused.code(), refused.field()), (Code::InvalidInput, Some("teamId")));
    assert!(refused.message().contains("one (") && refused.message().contains(&own.to_string()), "{refused}");
}
