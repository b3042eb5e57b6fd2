-- Starts an attempt to send what the record KEYS[1] stands for, or says why not.
-- ARGV: digest of the message, lease token, now ms, lease ms, TTL ms of the record.
-- -> JSON {state = 'go' | 'done' | 'conflict' | 'busy', wait = ms until the other attempt's lease ends,
--          ids = the vendor's ids of the parts already sent as a JSON text, doubt = '' or JSON text}
local DIGEST, TOKEN, NOW = ARGV[1], ARGV[2], tonumber(ARGV[3])
local stored = redis.call('HMGET', KEYS[1], 'digest', 'state', 'until', 'ids', 'doubt')
local digest, state, lease_ends = stored[1], stored[2], tonumber(stored[3] or 0)
local answer = { state = 'go', wait = 0, ids = stored[4] or '[]', doubt = stored[5] or '' }

if digest and digest ~= DIGEST then
  answer.state = 'conflict'
elseif state == 'done' then
  answer.state = 'done'
elseif lease_ends > NOW then
  answer.state, answer.wait = 'busy', lease_ends - NOW
else
  redis.call('HSET', KEYS[1], 'digest', DIGEST, 'lease', TOKEN, 'until', NOW + tonumber(ARGV[4]))
  redis.call('PEXPIRE', KEYS[1], ARGV[5])
end
return cjson.encode(answer)
