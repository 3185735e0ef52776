import { useQuery } from "@apollo/client/react"
import { CreatableTeamsDocument, type CreatableTeamsQuery } from "@/features/stores/stores.generated"
import { useSession } from "@/lib/session"

/** A team in which the user may create stores. */
export type Team = CreatableTeamsQuery["teams"][number]

const none: readonly Team[] = []

/** The teams in which the user may create; none until they are known: then the service chooses or says what it needs. */
export function useCreatableTeams(): readonly Team[] {
  const user = useSession((session) => (session.status === "signed-in" ? session.userId : null))
  const { data } = useQuery(CreatableTeamsDocument, {
    variables: { user: user ?? "" },
    skip: user === null,
    fetchPolicy: "cache-and-network",
  })
  return data?.teams ?? none
}

const key = "northstack.team"

/** The team that was chosen last in this browser, if it is one of these. */
export function lastTeam(teams: readonly Team[]): string {
  try {
    const id = localStorage.getItem(key)
    return teams.some((team) => team.id === id) ? (id ?? "") : ""
  } catch {
    return ""
  }
}

/** Keeps the choice for the next time. */
export function rememberTeam(id: string): void {
  try {
    localStorage.setItem(key, id)
  } catch {
    // Storage is refused: the next dialog asks again.
  }
}
