import { useMutation, useQuery } from "@apollo/client/react"
import { LogOut, UserRound } from "lucide-react"
import { Button } from "@/components/ui/button"
import {
  DropdownMenu,
  DropdownMenuContent,
  DropdownMenuItem,
  DropdownMenuLabel,
  DropdownMenuSeparator,
  DropdownMenuTrigger,
} from "@/components/ui/dropdown-menu"
import { LogoutDocument, MeDocument } from "@/features/auth/auth.generated"
import { endSession } from "@/lib/session"

/** Who is signed in, and the way out. */
export function UserMenu() {
  const { data } = useQuery(MeDocument)
  const [logout] = useMutation(LogoutDocument)
  const me = data?.me

  const signOut = async () => {
    try {
      await logout()
    } catch {
      // The server could not be told; here the session ends all the same, and the token soon.
    }
    endSession()
  }

  return (
    <DropdownMenu>
      <DropdownMenuTrigger asChild>
        <Button variant="secondary" size="icon" aria-label="Account" className="rounded-full">
          {me ? <span aria-hidden>{me.name.trim().charAt(0).toUpperCase()}</span> : <UserRound aria-hidden />}
        </Button>
      </DropdownMenuTrigger>
      <DropdownMenuContent className="max-w-72">
        {me ? (
          <>
            <DropdownMenuLabel>
              <span className="block truncate font-semibold">{me.name}</span>
              <span className="block truncate text-xs text-muted-foreground">{me.email}</span>
            </DropdownMenuLabel>
            <DropdownMenuSeparator />
          </>
        ) : null}
        <DropdownMenuItem onSelect={() => void signOut()}>
          <LogOut aria-hidden />
          Sign out
        </DropdownMenuItem>
      </DropdownMenuContent>
    </DropdownMenu>
  )
}
