-- The rules of an application's settings where a person writes them, as the deployment holds them again (it knows more
-- of host names). What the platform brings back from a revision was judged then.
create or replace function northstack_application_settings() returns trigger language plpgsql as $$
declare
  v_wrong text;
  v_of jsonb := new.settings;
  v_number constant text := '^[0-9]{1,9}$';
  v_rule record;
  v_value jsonb;
  v_host text;
  v_steps jsonb;
begin
  if northstack_acting_user() is null or jsonb_typeof(v_of) <> 'object'
     or octet_length(v_of::text) > 65536 or tg_op = 'UPDATE' and new.settings = old.settings then
    -- One that is no object, or too large, is refused for that.
    return new;
  end if;
  -- What there is, where, of which kind, whether it may be null, and for numbers from what to what.
  for v_rule in select * from (values
    ('', 'command', 'array', false, 0, 0), ('', 'args', 'array', false, 0, 0),
    ('', 'public', 'boolean', false, 0, 0), ('', 'autoDeploy', 'boolean', false, 0, 0),
    ('', 'host', 'string', true, 0, 0), ('', 'security', 'string', false, 0, 0),
    ('', 'health', 'object', true, 0, 0), ('', 'autoscaling', 'object', true, 0, 0),
    ('', 'canary', 'object', false, 0, 0), ('', 'blueGreen', 'object', false, 0, 0),
    ('', 'readySeconds', 'number', true, 1, 86400),
    ('', 'drainSeconds', 'number', false, 0, 600), ('', 'graceSeconds', 'number', false, 0, 3600),
    ('health', 'path', 'string', false, 0, 0), ('health', 'initialDelaySeconds', 'number', false, 0, 600),
    ('health', 'periodSeconds', 'number', false, 1, 600), ('health', 'timeoutSeconds', 'number', false, 1, 600),
    ('health', 'failureThreshold', 'number', false, 1, 600),
    ('autoscaling', 'minReplicas', 'number', false, 1, 100), ('autoscaling', 'maxReplicas', 'number', false, 1, 100),
    ('autoscaling', 'cpuPercent', 'number', false, 1, 1000),
    ('canary', 'steps', 'array', false, 0, 0), ('canary', 'maxRestarts', 'number', false, 0, 999999999),
    ('blueGreen', 'autoPromote', 'boolean', false, 0, 0), ('blueGreen', 'scaleDownDelaySeconds', 'number', false, 0, 3600)
  ) as rules (place, name, kind, nullable, least, most)
  loop
    continue when v_wrong is not null;
    v_value := case v_rule.place when '' then v_of else v_of -> v_rule.place end -> v_rule.name;
    continue when v_value is null or v_rule.nullable and v_value = 'null';
    v_wrong := case
      when v_rule.kind = 'number' and (jsonb_typeof(v_value) <> 'number' or v_value #>> '{}' !~ v_number
           or (v_value #>> '{}')::bigint not between v_rule.least and v_rule.most)
        then format('must be a whole number from %s to %s', v_rule.least, v_rule.most)
      when jsonb_typeof(v_value) = v_rule.kind then null
      else 'must be ' || case v_rule.kind when 'boolean' then 'true or false' when 'string' then 'text'
        when 'array' then 'a list' else 'a JSON object' end
    end;
    if v_wrong is not null then
      v_wrong := concat_ws('.', 'settings', nullif(v_rule.place, ''), v_rule.name) || ': ' || v_wrong;
    end if;
  end loop;
  if v_wrong is null then
    select concat_ws('.', 'settings', nullif(place, ''), case when name ~ '^[A-Za-z]{1,40}$' then name end) || ': '
        || case when name ~ '^[A-Za-z]{1,40}$' then 'is not a known setting' else 'has a setting that is not known' end
      into v_wrong
      from (select '' as place, jsonb_object_keys(v_of) as name
            union all select place, jsonb_object_keys(v_of -> place) from unnest(array['health', 'autoscaling', 'canary', 'blueGreen']) place
              where jsonb_typeof(v_of -> place) = 'object') known
      where name <> all (case place
        when '' then array['command', 'args', 'public', 'host', 'health', 'autoscaling', 'canary', 'blueGreen', 'readySeconds',
                           'security', 'drainSeconds', 'graceSeconds', 'autoDeploy']
        when 'health' then array['path', 'initialDelaySeconds', 'periodSeconds', 'timeoutSeconds', 'failureThreshold']
        when 'autoscaling' then array['minReplicas', 'maxReplicas', 'cpuPercent']
        when 'canary' then array['steps', 'maxRestarts']
        else array['autoPromote', 'scaleDownDelaySeconds'] end)
      order by place, name limit 1;
  end if;
  if v_wrong is null then
    select 'settings.' || name || ': must be at most 64 words of at most 4096 bytes' into v_wrong
      from unnest(array['command', 'args']) as name
      where jsonb_array_length(coalesce(v_of -> name, '[]')) > 64 or exists (
        select 1 from jsonb_array_elements(coalesce(v_of -> name, '[]')) word
        where jsonb_typeof(word) <> 'string' or octet_length(word #>> '{}') > 4096)
      limit 1;
  end if;
  if v_wrong is null then
    v_host := v_of ->> 'host';
    v_steps := coalesce(v_of -> 'canary' -> 'steps', '[{"weight": 50}]');
    v_wrong := case
      when v_of ->> 'security' not in ('restricted', 'baseline') then 'settings.security: must be `restricted` or `baseline`'
      when length(v_host) > 253 or v_host !~ '^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?[.])+[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$'
        then 'settings.host: must be a host name in lower case, such as `shop.example.com`'
      when v_host ~ '[.]([0-9][^.]*|localhost|local|localdomain|internal|intranet|lan|home|corp|private|invalid|onion|alt|arpa|svc|cluster|test)$'
        then 'settings.host: must be a public host name: no address, and no name of a local network'
      when jsonb_typeof(v_of -> 'health') = 'object'
           and (coalesce(v_of -> 'health' ->> 'path', '') !~ '^/[\u0021-\u007e]*$' or length(v_of -> 'health' ->> 'path') > 1024)
        then 'settings.health.path: must be a path such as `/healthz`'
      when jsonb_typeof(v_of -> 'autoscaling') = 'object' and not v_of -> 'autoscaling' ? 'minReplicas'
        then 'settings.autoscaling.minReplicas: is required'
      when jsonb_typeof(v_of -> 'autoscaling') = 'object' and not v_of -> 'autoscaling' ? 'maxReplicas'
        then 'settings.autoscaling.maxReplicas: is required'
      when (v_of #>> '{autoscaling,maxReplicas}')::integer < (v_of #>> '{autoscaling,minReplicas}')::integer
        then 'settings.autoscaling.maxReplicas: must be from minReplicas to 100'
      when jsonb_array_length(v_steps) not between 1 and 20
           or jsonb_path_exists(v_steps, '$[*] ? (@.type() != "object" || !exists (@.weight))')
        then 'settings.canary.steps: must be 1 to 20 growing weights of 1 to 99'
    end;
  end if;
  -- Only now each step is an object with a weight.
  if v_wrong is null and exists (
    select 1 from jsonb_array_elements(v_steps) with ordinality as steps (step, place)
    where jsonb_typeof(step -> 'weight') <> 'number' or step ->> 'weight' !~ '^[1-9][0-9]?$'
       or exists (select 1 from jsonb_object_keys(step) key where key not in ('weight', 'pauseSeconds'))
       or step ->> 'weight' ~ '^[1-9][0-9]?$' and place > 1
          and (v_steps -> (place::integer - 2) ->> 'weight') ~ '^[1-9][0-9]?$'
          and (v_steps -> (place::integer - 2) ->> 'weight')::integer > (step ->> 'weight')::integer
  ) then
    v_wrong := 'settings.canary.steps: must be 1 to 20 growing weights of 1 to 99';
  end if;
  if v_wrong is null and exists (
    select 1 from jsonb_array_elements(v_steps) step
    where coalesce(step -> 'pauseSeconds', 'null') <> 'null'
      and (jsonb_typeof(step -> 'pauseSeconds') <> 'number' or step ->> 'pauseSeconds' !~ v_number
           or (step ->> 'pauseSeconds')::bigint > 604800)
  ) then
    v_wrong := 'settings.canary.steps: must be pauses of at most 7 days, in whole seconds';
  end if;
  if v_wrong is not null then
    raise exception '%', v_wrong
      using errcode = 'check_violation', constraint = 'applications_settings_rules', table = tg_table_name;
  end if;
  return new;
end $$;
