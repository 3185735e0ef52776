import { config } from "zod/mini"

// zod would try `new Function` for speed, which the Content-Security-Policy refuses and reports.
config({ jitless: true })
