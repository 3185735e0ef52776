//! Who may do what in a team.

use uuid::Uuid;

use super::App;
use crate::db::teams;
use crate::domain::{Actor, Code, Error, Result, TeamRole};

impl App {
    /// Refuses unless the actor has at least `least` in the team. To somebody who is no member the team does not exist.
    pub async fn authorise(&self, actor: &Actor, team: Uuid, least: TeamRole) -> Result<()> {
        let user = match actor {
            Actor::System => return Ok(()),
            Actor::Admin(_) => {
                let exists = teams::exists(self.db.pool(), team).await?;
                return if exists { Ok(()) } else { Err(Error::not_found("team")) };
            }
            Actor::Anonymous => return Err(Error::new(Code::Unauthenticated, "sign in to do that")),
            Actor::User(user) => *user,
        };
        match teams::role(self.db.pool(), team, user).await? {
            Some(role) if role >= least => Ok(()),
            Some(_) => {
                let least: &'static str = least.into();
                Err(Error::new(Code::Forbidden, format!("only members with the role {least} or above may do that")))
            }
            None => Err(Error::not_found("team")),
        }
    }

    /// The team that is meant when the actor names none: the oldest of those in which they may create.
    pub async fn default_team(&self, actor: &Actor) -> Result<Uuid> {
        let user = actor.user_id().ok_or_else(|| Error::invalid("teamId", "name the team"))?;
        let memberships = teams::memberships(self.db.pool(), user).await?;
        let own = memberships.iter().find(|membership| membership.role >= TeamRole::Developer);
        own.map(|membership| membership.team_id)
            .ok_or_else(|| Error::new(Code::Forbidden, "you are in no team in which you may create anything"))
    }
}
