// A story of a picture at an address, told to a client whose types openapi-typescript has made: tell.js SERVER ADDRESS.
import createClient from "openapi-fetch";
import type { components, paths } from "./made.js";

type Story = components["schemas"]["Story"];

const [server, address] = process.argv.slice(2);
const client = createClient<paths>({ baseUrl: server });

const asked = await client.POST("/v1/stories", { body: { image_url: address, style: "sea" } });
if (asked.error) throw new Error(asked.error.detail);
const { data, error } = await client.GET("/v1/stories/{id}", { params: { path: { id: asked.data.id }, query: { wait: 60 } } });
if (error) throw new Error(error.detail);
const told: Story = data;
if (told.state !== "succeeded" || !told.result) throw new Error(JSON.stringify(told));
console.log(told.result.story);

// @ts-expect-error a story has no such field
console.assert(told.colour === undefined);
