-- Why: a trace of OpenTelemetry goes from the request that hands a job in to the worker that tells it and to its webhooks: what
-- they share is written with the job. None where nobody traces; programs of before know nothing of it and leave it empty.
alter table jobs add column traceparent text;
