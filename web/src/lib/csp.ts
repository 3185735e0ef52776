import { config } from "zod"

// zod would try `new Function` for speed, which the Content-Security-Policy refuses and reports.
config({ jitless: true })
