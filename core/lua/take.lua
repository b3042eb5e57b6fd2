-- Leases up to ARGV[3] due chats. -> {{lease...}, next due}
local LIMIT, MOST_POPS = tonumber(ARGV[3]), 1000
local due_at = {}

local function move_due()
  local due = redis.call('ZRANGEBYSCORE', DEADLINES, '-inf', NOW, 'WITHSCORES', 'LIMIT', 0, LIMIT)
  local members = {}
  for i = 1, #due, 2 do
    members[#members + 1], due_at[due[i]] = due[i], tonumber(due[i + 1])
  end
  if #members > 0 then
    redis.call('ZREM', DEADLINES, unpack(members))
    redis.call('RPUSH', PENDING, unpack(members))
  end
end

-- Whether the chat may be leased now; when not, it is left where it will be found again, or forgotten.
local function may_lease(member)
  local again = redis.call('ZSCORE', DEADLINES, member)
  if again and tonumber(again) > NOW then return false end -- written to since: its silence begins anew
  if redis.call('EXISTS', ITEMS .. member) == 0 then
    forget(member)
    return false
  end
  local ttl = redis.call('PTTL', LOCK .. member)
  if ttl == -2 then return true end
  if ttl == -1 then -- no lease of ours is endless
    redis.call('PEXPIRE', LOCK .. member, RULES.lease)
    ttl = RULES.lease
  end
  redis.call('ZADD', DEADLINES, NOW + math.max(ttl, 1), member)
  return false
end

move_due()
local leases = {}
for _ = 1, MOST_POPS do
  local member = #leases < LIMIT and redis.call('LPOP', PENDING)
  if not member then break end
  if may_lease(member) then leases[#leases + 1] = lease(member, due_at[member]) end
end
return { leases, next_due() }
