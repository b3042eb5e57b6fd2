-- Leases up to ARGV[3] chats: first those in `pending`, then those whose deadline has come.
-- -> {{lease...}, when to look again}
local LIMIT, MOST_WAITING = tonumber(ARGV[3]), 500
local leases = {}

-- A chat in work is looked at again when its lease ends.
local function postpone(member)
  local ttl = redis.call('PTTL', LOCK .. member)
  if ttl == -2 then return end -- it was empty
  if ttl == -1 then -- no lease of ours is endless
    redis.call('PEXPIRE', LOCK .. member, RULES.lease)
    ttl = RULES.lease
  end
  redis.call('ZADD', DEADLINES, NOW + math.max(ttl, 1), member)
end

local function add(member, due_at)
  local leased = lease(member, due_at)
  if leased then leases[#leases + 1] = leased else postpone(member) end
end

local pending = LIMIT > 0 and redis.call('LPOP', PENDING, LIMIT) or {}
for _, member in ipairs(pending) do
  local deadline = redis.call('ZSCORE', DEADLINES, member)
  -- a later deadline: it was written to since, and its silence begins anew
  if not deadline or tonumber(deadline) <= NOW then add(member, tonumber(deadline)) end
end

local due = redis.call('ZRANGEBYSCORE', DEADLINES, '-inf', NOW, 'WITHSCORES', 'LIMIT', 0, LIMIT - #leases)
for i = 1, #due, 2 do add(due[i], tonumber(due[i + 1])) end

-- What is due and finds no worker free waits in `pending`, in the order of its deadlines.
local waiting = redis.call('ZRANGEBYSCORE', DEADLINES, '-inf', NOW, 'LIMIT', 0, MOST_WAITING)
if #waiting > 0 then
  redis.call('ZREM', DEADLINES, unpack(waiting))
  redis.call('RPUSH', PENDING, unpack(waiting))
end
return { leases, redis.call('EXISTS', PENDING) == 1 and NOW or next_deadline() }
