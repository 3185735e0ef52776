update platform_events
set data = data
  #- '{row,input}' #- '{row,output}' #- '{row,idempotency_key}' #- '{row,idempotency_digest}' #- '{row,lease_holder}'
  #- '{row,lease_expires_at}' #- '{row,generation}' #- '{row,woken}' #- '{row,available_at}' #- '{row,lane_turn}'
  #- '{row,flow_version}' #- '{row,chain_id}' #- '{row,hash}' #- '{row,previous_hash}' #- '{previous,output}'
  #- '{previous,lease_holder}' #- '{previous,lease_expires_at}' #- '{previous,generation}' #- '{previous,woken}'
  #- '{previous,available_at}' #- '{previous,lane_turn}'
where data ->> 'table' in ('operations', 'audit_logs') and (data -> 'row') ?| array['input', 'lease_holder', 'hash'];
