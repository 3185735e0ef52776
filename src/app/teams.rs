//! Who may do what in a team.

use uuid::Uuid;

use super::App;
use crate::db::teams::{self, Membership};
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

    /// The team that is meant when the actor names none: the only one in which they may create, or the only one of these
    /// that they have made themself.
    ///
    /// # Errors
    /// `invalid-input` that names the teams there are to choose from, `forbidden` where there is none.
    pub async fn default_team(&self, actor: &Actor) -> Result<Uuid> {
        let user = actor.user_id().ok_or_else(|| Error::invalid("teamId", "name the team"))?;
        let memberships = teams::memberships(self.db.pool(), user).await?;
        let may: Vec<&Membership> = memberships.iter().filter(|it| it.role >= TeamRole::Developer).collect();
        let own: Vec<&Membership> = may.iter().copied().filter(|it| it.own).collect();
        match (may.as_slice(), own.as_slice()) {
            ([only], _) | (_, [only]) => Ok(only.team_id),
            ([], _) => Err(Error::new(Code::Forbidden, "you are in no team in which you may create anything")),
            _ => {
                let teams: Vec<String> =
                    may.iter().take(10).map(|it| format!("{} ({})", it.team, it.team_id)).collect();
                let message = format!("teamId: you may create in several teams; name one of {}", teams.join(", "));
                Err(Error::invalid("teamId", message))
            }
        }
    }
}
